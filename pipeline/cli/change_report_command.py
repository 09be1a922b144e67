"""`mlops change-report`: compare this folder with another commit."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads it
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.shared_options import AsJson  # noqa: TC001 - typer reads it
from pipeline.errors import UsageError
from pipeline.files import canonical_json, write_text

if TYPE_CHECKING:
    from pipeline.change_report import ChangeReport

__all__ = ["change_report"]

_SUFFIXES = (".md", ".html", ".json")


def change_report(
    *,
    base: Annotated[str, typer.Option("--base", help="Branch, tag or commit to compare with.")] = "main",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="FILE.md, FILE.html (with plots) or FILE.json; prints Markdown by default."
        ),
    ] = None,
    with_latency: Annotated[
        bool, typer.Option("--latency", help="Measure the latency of both models; varies by machine and run.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Report what this folder changes: settings, stages, metrics with intervals, gates, slices, features."""
    from pipeline.change_report import build_change_report, change_headline, change_report_markdown
    from pipeline.project.root import find_state_root

    if output is not None and output.suffix not in _SUFFIXES:
        raise UsageError(f"--output {output}: expected a file that ends with {', '.join(_SUFFIXES)}")
    root = find_state_root()
    report = build_change_report(root, base, with_latency=with_latency)
    if output is not None:
        _write_report(report, output, root)
        typer.echo(f"{output}: {change_headline(report)}", err=as_json)
    if as_json:
        typer.echo(canonical_json(report.as_dict()), nl=False)
    elif output is None:
        typer.echo(change_report_markdown(report), nl=False)


def _write_report(report: ChangeReport, output: Path, root: Path) -> None:
    """Write the report in the format of the suffix; the page in the folder of reports is added to their index."""
    from pipeline.change_report import change_report_html, change_report_markdown
    from pipeline.project import paths
    from pipeline.report_index import write_report_index

    if output.suffix == ".json":
        write_text(output, canonical_json(report.as_dict()))
    elif output.suffix == ".md":
        write_text(output, change_report_markdown(report))
    elif output.resolve() == (root / paths.CHANGE_REPORT).resolve():
        write_text(output, change_report_html(report, index_address=paths.REPORT_INDEX.name))
        write_report_index(root)
    else:
        write_text(output, change_report_html(report))
