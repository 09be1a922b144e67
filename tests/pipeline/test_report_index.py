"""The index lists each report with verdict, commit and time, and the command of each that does not exist."""

from __future__ import annotations

import hashlib
import subprocess
from typing import TYPE_CHECKING

from pipeline.html_report import ReportHead, report_page
from pipeline.project import paths
from pipeline.report_index import list_reports, write_report_index

if TYPE_CHECKING:
    from pathlib import Path

WRITTEN_AT = 1_770_000_000_000_000
MONITORING = ReportHead("Monitoring of m", "drift", "bad", "1 of 3 <drifted>", commit="1a2b3c4d", written_at=WRITTEN_AT)


def write_page(root: Path, path: Path, head: ReportHead) -> str:
    page = report_page(head, [])
    (root / path).parent.mkdir(exist_ok=True)
    (root / path).write_text(page, encoding="utf-8")
    return page


def test_a_project_without_reports_names_the_commands(tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    write_report_index(tmp_path)
    page = (tmp_path / paths.REPORT_INDEX).read_text(encoding="utf-8")
    assert "0 of 3 reports exist." in page
    commands = ("make monitor", "make run", "mlops change-report -o reports/change_report.html")
    assert [command for command in commands if f"<code>{command}</code>" not in page] == []


def test_a_report_is_listed_by_its_own_head(tmp_path: Path) -> None:
    write_page(tmp_path, paths.MONITORING_HTML, MONITORING)
    write_report_index(tmp_path)
    page = (tmp_path / paths.REPORT_INDEX).read_text(encoding="utf-8")
    assert '<a href="monitoring.html">Monitoring</a>' in page
    assert "1 of 3 &lt;drifted&gt;" in page
    assert "2026-02-02 02:40:00 UTC" in page
    assert "1a2b3c4d" in page


def test_an_output_of_dvc_has_the_commit_whose_lock_names_it(tmp_path: Path) -> None:
    page = write_page(tmp_path, paths.VALIDATION_HTML, ReportHead("Validation", "ok", "good", ""))
    (tmp_path / "dvc.lock").write_text(f"md5: {hashlib.md5(page.encode(), usedforsecurity=False).hexdigest()}\n")

    def git(*arguments: str) -> str:
        command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.strip()

    git("init", "-q")
    validation = {report.path: report for report in list_reports(tmp_path)}[paths.VALIDATION_HTML]
    assert validation.commit == ""
    git("add", "dvc.lock")
    git("commit", "-qm", "Results")
    validation = {report.path: report for report in list_reports(tmp_path)}[paths.VALIDATION_HTML]
    assert validation.commit == git("log", "-1", "--format=%h")
    assert validation.written_at is not None
