"""`mlops reports`: list the HTML reports of the project, and write the page that links them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from pipeline.cli.shared_options import AsJson  # noqa: TC001 - typer reads it
from pipeline.cli.terminal_output import print_table
from pipeline.files import canonical_json
from pipeline.text import timestamp

if TYPE_CHECKING:
    from pipeline.report_index import ListedReport

__all__ = ["reports"]

_HEAD = ("report", "verdict", "commit", "written", "file")


def reports(*, as_json: AsJson = False) -> None:
    """List the HTML reports with verdict, commit and time, and write their index page."""
    from pipeline.project import paths
    from pipeline.project.root import find_project_root
    from pipeline.report_index import list_reports, write_report_index

    root = find_project_root()
    write_report_index(root)
    listed = list_reports(root)
    if as_json:
        typer.echo(canonical_json([{**asdict(report), "path": report.path.as_posix()} for report in listed]), nl=False)
        return
    print_table(_HEAD, [_report_row(report) for report in listed])
    typer.echo(f"{paths.REPORT_INDEX} links them")


def _report_row(report: ListedReport) -> tuple[str, ...]:
    name, path = report.name.lower(), report.path.as_posix()
    if report.head is None or report.written_at is None:
        return name, "not written", "", "", f"run `{report.command}`"
    return name, report.head.verdict, report.commit, timestamp(report.written_at), path
