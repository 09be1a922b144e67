"""List the HTML reports of a project with verdict, commit and time, and write the page that links them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline import files
from pipeline.html_report import (
    Html,
    ReportHead,
    badge,
    card,
    html_table,
    link,
    paragraph,
    read_report_head,
    report_page,
)
from pipeline.project import paths
from pipeline.project.git_command import run_git
from pipeline.text import timestamp

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ListedReport", "list_reports", "write_report_index"]

_KINDS = (
    ("Monitoring", paths.MONITORING_HTML, "drift and performance of live predictions", "make monitor"),
    ("Validation", paths.VALIDATION_HTML, "quality of the rows for training", "make run"),
    (
        "Change",
        paths.CHANGE_REPORT,
        "what the branch changes in settings, metrics and gates",
        f"mlops change-report -o {paths.CHANGE_REPORT}",
    ),
)


@dataclass(frozen=True, slots=True)
class ListedReport:
    """One report of a project; `head` is None until `command` has written it.

    `commit` is the commit that the report is about; for an output of DVC the commit whose dvc.lock names it.
    `written_at` is in microseconds since 1970.
    """

    name: str
    path: Path
    description: str
    command: str
    head: ReportHead | None
    commit: str
    written_at: int | None


def list_reports(root: Path) -> tuple[ListedReport, ...]:
    """Return the reports of the project at `root`, those that do not exist included."""
    return tuple(_listed_report(root, *kind) for kind in _KINDS)


def _listed_report(root: Path, name: str, path: Path, description: str, command: str) -> ListedReport:
    head = read_report_head(root / path)
    if head is None:
        return ListedReport(name, path, description, command, None, "", None)
    written_at = head.written_at if head.written_at is not None else (root / path).stat().st_mtime_ns // 1000
    commit = head.commit or (_commit_of_output(root, path) if path == paths.VALIDATION_HTML else "")
    return ListedReport(name, path, description, command, head, commit, written_at)


def _commit_of_output(root: Path, path: Path) -> str:
    """Return the last commit whose dvc.lock began to name the content of the file; empty without one."""
    md5 = hashlib.md5((root / path).read_bytes(), usedforsecurity=False).hexdigest()
    return run_git(root, "log", "-1", "--format=%h", f"-S{md5}", "--", "dvc.lock") or ""


def write_report_index(root: Path) -> None:
    """Write `reports/index.html`, which links the reports that exist and names the commands of the others."""
    reports = list_reports(root)
    rows = [_index_row(report) for report in reports]
    n_written = sum(report.head is not None for report in reports)
    head = ReportHead("Reports", "", "neutral", f"{n_written} of {len(reports)} reports exist.")
    page = report_page(
        head,
        (
            card(html_table(("report", "verdict", "summary", "commit", "written", "content"), rows)),
            paragraph(
                "The app shows the same list with the present age of each report, on its page Reports.", is_soft=True
            ),
        ),
    )
    files.write_text(root / paths.REPORT_INDEX, page)


def _index_row(report: ListedReport) -> tuple[str | Html, ...]:
    if report.head is None or report.written_at is None:
        return report.name, "", Html(f"not written yet: <code>{report.command}</code>"), "", "", report.description
    return (
        link(report.name, report.path.name),
        badge(report.head.verdict, report.head.level),
        report.head.summary,
        report.commit,
        timestamp(report.written_at),
        report.description,
    )
