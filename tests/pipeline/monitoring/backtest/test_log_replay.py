"""A replay tests the drift rules on the windows of the log."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from pipeline.errors import UsageError
from pipeline.monitoring.backtest.drift_backtest import (
    AlertBudget,
    WindowSampling,
)
from pipeline.monitoring.backtest.log_replay import backtest_lines, parse_alert_budget, replay_log
from tests.fixtures.toy_dataset import ROOT
from tests.pipeline.monitoring.log_fixtures import (
    MODEL_NAME,
    NOW,
    hours_us,
    live_rows,
    make_monitor,
    write_log,
    write_outcomes,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.cli import CliRunner

pytestmark = pytest.mark.usefixtures("heavy_computation")


@pytest.mark.parametrize(("text", "per_week"), [("1/week", 1.0), ("2/day", 14.0), ("1/month", 0.23)])
def test_an_alert_budget_is_a_number_and_a_time_unit(text: str, per_week: float) -> None:
    assert parse_alert_budget(text, 24.0).alerts_per_week == pytest.approx(per_week, abs=0.001)


@pytest.mark.parametrize("text", ["1", "0/week", "1/fortnight", "many/day"])
def test_an_invalid_alert_budget_is_refused(text: str) -> None:
    with pytest.raises(
        UsageError, match="is invalid; expected a number and one of day, week, month, year, such as 1/week"
    ):
        parse_alert_budget(text, 24.0)


def test_replay_lists_degradations_without_drift(project: Path) -> None:
    monitor = make_monitor(project)
    unshifted, shifted = live_rows(300, 1), live_rows(300, 2)
    name = next(name for name, entry in monitor.resolved_config.data.columns.items() if entry.dtype == "Int64")
    shifted[name] = shifted[name].max()
    end = NOW // hours_us(1) * hours_us(1)
    write_log(project, shifted, start=end - hours_us(3), stop=end - hours_us(2), prefix="m")
    ids = write_log(project, unshifted, start=end - hours_us(2), stop=end - hours_us(1), prefix="c")
    target = monitor.resolved_config.data.target
    wrong = dict(zip(target.classes, reversed(target.classes), strict=True))
    write_outcomes(
        project,
        [(prediction_id, wrong[label]) for prediction_id, label in zip(ids, unshifted[target.column], strict=True)],
    )
    report = replay_log(monitor, AlertBudget(7.0, 1.0), n_windows=6, sampling=WindowSampling(100, 0))
    assert [
        (incident.n_windows, name in [column for column, _, _ in incident.columns]) for incident in report.incidents
    ] == [(1, True)]
    assert len(report.missed_degradations) == 1
    assert any("no drift, but outcomes show degraded" in line for line in backtest_lines(report))


def test_the_command_prints_a_diff_of_keys_by_file_and_json(project: Path, run_cli: CliRunner) -> None:
    make_monitor(project)
    shutil.copytree(ROOT / "conf", project / "conf")
    for path in (project / "params.yaml", project / "conf/drift/default.yaml"):
        path.write_text(path.read_text(encoding="utf-8").replace("alpha: 0.02", "alpha: 0.2"), encoding="utf-8")
    call = [
        "monitor",
        "backtest",
        "--model",
        MODEL_NAME,
        "--hours",
        "1",
        "--rows",
        "200",
        "--draws",
        "100",
        "--windows",
        "0",
    ]
    run = run_cli(*call, cwd=project)
    proposal = json.loads(run_cli(*call, "--json", cwd=project).out)["proposal"]
    assert {change["key"].rpartition(".")[0].partition(".")[0] for change in proposal} == {"drift"}
    first = proposal[0]
    diff = f"--- conf/drift/default.yaml\n- {first['key']}: {first['before']:g}\n+ {first['key']}: {first['after']:g}\n"
    assert diff in run.out
