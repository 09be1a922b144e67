"""The report is the same as text, as HTML, as JSON and on the command line."""

from __future__ import annotations

import json
import os
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.monitoring.drift import DriftFinding, DriftLine, DriftPoint
from pipeline.monitoring.monitoring_html import MonitoringContext, monitoring_report_html
from pipeline.monitoring.monitoring_text import report_headline
from pipeline.schema import FeatureLabels
from pipeline.state import Incident
from tests.fixtures.forked_programs import environment_with_forks
from tests.fixtures.toy_dataset import ROOT
from tests.pipeline.monitoring.log_fixtures import (
    NOW,
    hours_us,
    live_rows,
    make_monitor,
    numeric_feature,
    production_package,
    write_log,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.cli import CliRunner


def log_drifted_rows(project: Path, *, n: int = 600) -> str:
    """Log rows with one shifted column, and return its name."""
    frame = live_rows(n)
    number = numeric_feature(production_package(project)[0])
    frame[number] = frame[number].max()
    write_log(project, frame, start=NOW - hours_us(5), stop=NOW)
    return number


def test_the_page_shows_every_column_and_needs_no_network(project: Path) -> None:
    number = log_drifted_rows(project)
    report = make_monitor(project).generate_monitoring_report()
    page = monitoring_report_html(report)
    assert not re.search(r"(src|href)=|url\(|@import", page)
    labels = [FeatureLabels().label(name) for name in production_package(project)[0].schema.feature_names]
    assert all(label in page for label in labels)
    assert page.count("<svg") == len(report["drift"]["findings"])
    assert number in report_headline(report)
    assert "<th scope=row>p-value</th><td>below 0.0001 (significant below" in page


def test_an_empty_window_can_be_shown(project: Path) -> None:
    report = make_monitor(project).generate_monitoring_report()
    assert report["drift"]["verdict"] == "not_enough_data"
    assert report_headline(report) == (
        "personality_model: not enough data: no rows in this window, 200 needed;"
        " degradation unknown: 0 of 200 outcomes needed"
    )
    page = monitoring_report_html(report)
    assert "<b>unknown</b>drifted columns<br><small>no rows in this window, 200 needed</small>" in page
    assert ("<svg" in page, "not known" in page) == (False, True)
    json.dumps(report, allow_nan=False)


def test_a_name_that_is_markup_is_shown_as_text(project: Path) -> None:
    report = make_monitor(project).generate_monitoring_report()
    report["model"] = "<script>alert(1)</script>"
    assert "<script" not in monitoring_report_html(report)


def drift_point(hour: int, verdict: Any) -> DriftPoint:
    since = NOW + hours_us(hour)
    finding = DriftFinding(COLUMN, "feature", verdict, value=0.3, threshold=0.1)
    return DriftPoint(since, since + hours_us(1), 300, finding)


COLUMN = "Time_spent_Alone"


def test_the_page_shows_since_when_a_column_drifts_and_what_to_do(project: Path) -> None:
    report = make_monitor(project).generate_monitoring_report()
    report["drift"]["findings"] = [
        {**finding, "verdict": "drift" if finding["column"] == COLUMN else finding["verdict"]}
        for finding in report["drift"]["findings"]
    ]
    verdicts = ("drift", "stable", "drift", "drift")
    incident = Incident(
        "rows", "m", ("drift",), "critical", "Drift <b>", "", {}, opened_at=NOW, last_seen_at=NOW, seq=7
    )
    context = MonitoringContext(
        recorded_at=NOW,
        version=3,
        commit="1a2b3c4d",
        incidents=(incident,),
        drift_lines=[DriftLine(COLUMN, "feature", tuple(map(drift_point, range(4), verdicts)))],
    )
    page = monitoring_report_html(report, context, index_address="index.html")
    assert "Drift since 2026-02-02 04:40:00 UTC." in page
    assert "<code>mlops alerts ack 7 --reason ...</code>" in page
    assert "Drift &lt;b&gt;" in page
    assert "<dt>Version in Production</dt><dd>3</dd>" in page
    assert "<dt>Written</dt><dd>2026-02-02 02:40:00 UTC</dd>" in page


def test_findings_have_the_importance_of_the_package(project: Path) -> None:
    number = log_drifted_rows(project)
    findings = make_monitor(project).detect_data_drift()["findings"]
    means = {name: max(sums.mean, 0.0) for name, sums in production_package(project)[0].importance.loss.items()}
    shares = {finding["column"]: finding["importance"] for finding in findings}
    assert shares[number] == pytest.approx(means[number] / sum(means.values()), abs=1e-6)


def run_command(project: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
        env=environment_with_forks({**os.environ, "PYTHONPATH": str(ROOT)}),
    )


@pytest.mark.usefixtures("starts_processes")
def test_the_stage_writes_both_reports_and_exits_as_declared(project: Path) -> None:
    make_monitor(project)
    process = run_command(project, "python", "-m", "stages.monitor", "-cd", ".", "-cn", "params")
    assert process.returncode == 0, process.stderr
    assert "personality_model: not enough data: no rows in this window, 200 needed" in process.stdout
    report = json.loads((project / "reports/monitoring.json").read_text(encoding="utf-8"))
    assert report["dashboard"]["total_predictions"] == 0
    assert (project / "reports/monitoring.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_the_command_line_reports_and_rebuilds(project: Path, run_cli: CliRunner) -> None:
    make_monitor(project)
    write_log(project, live_rows(300), start=NOW - hours_us(5), stop=NOW)
    rebuilt = run_cli("monitor", "rebuild", cwd=project)
    report = run_cli("monitor", "report", "--json", "--hours", "1000000", cwd=project)
    assert (rebuilt.exit_code, rebuilt.out) == (0, "roll-ups rebuilt from 300 predictions\n")
    assert json.loads(report.out)["dashboard"]["total_predictions"] == 300
