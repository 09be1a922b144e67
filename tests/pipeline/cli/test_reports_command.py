"""`mlops reports` lists the HTML reports and writes their index."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pipeline.html_report import ReportHead, report_page
from pipeline.project import paths

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.cli import CliRunner


def test_reports_are_listed_with_verdict_or_command(tmp_path: Path, run_cli: CliRunner) -> None:
    (tmp_path / "dvc.yaml").touch()
    head = ReportHead("Validation of rows", "warning", "warn", "3 rules")
    (tmp_path / "reports").mkdir()
    (tmp_path / paths.VALIDATION_HTML).write_text(report_page(head, []), encoding="utf-8")
    run = run_cli("reports", cwd=tmp_path)
    assert run.exit_code == 0, run.err
    lines = run.out.splitlines()
    assert lines[0].split() == ["report", "verdict", "commit", "written", "file"]
    assert lines[1].endswith("run `make monitor`")
    assert lines[2].split()[:2] == ["validation", "warning"]
    assert (tmp_path / paths.REPORT_INDEX).is_file()
    listed = json.loads(run_cli("reports", "--json", cwd=tmp_path).out)
    assert [report["path"] for report in listed] == [
        "reports/monitoring.html",
        "reports/validation.html",
        "reports/change_report.html",
    ]
