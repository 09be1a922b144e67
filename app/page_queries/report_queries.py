"""Query the HTML reports of the project."""

from __future__ import annotations

from pathlib import Path

from pipeline.report_index import ListedReport, list_reports

from .. import queries

__all__ = ["html_reports", "read_report"]


def html_reports() -> tuple[ListedReport, ...]:
    """Return the HTML reports of the project, those that are not written yet included."""
    return _cached_reports(str(queries.project_root()))


@queries.cached(10, spinner=False)
def _cached_reports(root: str) -> tuple[ListedReport, ...]:
    return list_reports(Path(root))


def read_report(report: ListedReport) -> bytes:
    """Return the bytes of a report."""
    return (queries.project_root() / report.path).read_bytes()
