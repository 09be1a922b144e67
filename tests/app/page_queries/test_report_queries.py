"""The app lists and reads the HTML reports of the current project."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.page_queries import report_queries

if TYPE_CHECKING:
    from pathlib import Path


def test_a_project_without_reports_lists_them_as_not_written(empty: Path) -> None:
    reports = report_queries.html_reports()
    assert [(report.name, report.head) for report in reports] == [
        ("Monitoring", None),
        ("Validation", None),
        ("Change", None),
    ]
    (empty / "reports").mkdir()
    (empty / reports[0].path).write_bytes(b"<!doctype html>")
    assert report_queries.read_report(reports[0]) == b"<!doctype html>"
