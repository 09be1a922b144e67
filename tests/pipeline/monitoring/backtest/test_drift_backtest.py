"""A backtest says what was raised and missed, and proposes limits that keep a budget of alerts."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pipeline.errors import UsageError
from pipeline.monitoring import BinCounts, DriftContext, detect_drift
from pipeline.monitoring.backtest.drift_backtest import (
    AlertBudget,
    BacktestReport,
    LoggedWindow,
    WindowSampling,
    backtest_drift_rules,
)
from pipeline.monitoring.backtest.log_replay import parse_alert_budget, proposal_lines, replay_log, report_lines
from pipeline.monitoring.backtest.threshold_search import (
    DriftThresholds,
    WindowCollection,
    count_incidents,
    raise_column_thresholds,
)
from tests.fixtures.proof import proof_rounds
from tests.fixtures.toy_dataset import ROOT
from tests.pipeline.monitoring.drift_fixtures import CONFIG, SCHEMA, count_rows, detect, make_reference, sample_rows
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

REFERENCE = make_reference()
LOOSE_CONFIG = CONFIG.model_copy(update={"alpha": 0.2})


def run_backtest(
    budget: AlertBudget, seed: int, *, config: Any = LOOSE_CONFIG, past: list[LoggedWindow] | None = None, n: int = 200
) -> BacktestReport:
    draws = WindowSampling(n, seed, 200)
    return backtest_drift_rules(
        REFERENCE, SCHEMA, config, budget, logged_windows=past or [], min_rows=200, sampling=draws
    )


def test_proposed_thresholds_meet_the_budget_on_other_samples() -> None:
    budget = AlertBudget(1.0, 4.0)  # 1 of 42 windows may raise something
    before = run_backtest(budget, seed=1, n=proof_rounds(250, long=5000))
    assert before.false_alarm_rate[1] > budget.max_alert_share  # the lower end: the budget is not kept beyond chance
    assert before.proposal
    rounds = proof_rounds(250, long=5000)
    others = run_backtest(budget, seed=2, config=_proposed_config(before), n=rounds)
    assert others.false_alarm_rate[1] <= budget.max_alert_share


def test_equal_seeds_give_equal_backtests() -> None:
    one, other, third = (run_backtest(AlertBudget(1.0, 4.0), seed=seed, n=40).as_dict() for seed in (1, 1, 2))
    assert one == other
    assert one != third


def _proposed_config(found: BacktestReport) -> Any:
    values = found.thresholds.values
    numeric = {"wasserstein": values["drift.numeric.wasserstein"], "missing": values["drift.numeric.missing"]}
    return LOOSE_CONFIG.model_copy(
        update={
            "alpha": values["drift.alpha"],
            "numeric": LOOSE_CONFIG.numeric.model_copy(update=numeric),
            "categorical": LOOSE_CONFIG.categorical.model_copy(
                update={"jensen_shannon": values["drift.categorical.jensen_shannon"]}
            ),
        }
    )


def test_a_met_budget_proposes_nothing_and_power_grows_with_the_shift() -> None:
    found = run_backtest(AlertBudget(1.0, 24.0), seed=3, config=CONFIG)
    assert found.proposal == {}
    assert "the thresholds meet the budget; nothing to change" in list(proposal_lines(found, {}))
    shifts = [one.power for one in found.detection_powers if one.column == "size" and one.change.startswith("shift")]
    assert shifts == sorted(shifts)
    assert shifts[-1] > 0.95 > shifts[0]


def test_backtest_verdicts_equal_those_of_the_monitor() -> None:
    frames = [sample_rows(300, seed, shift=0.1 * (seed % 5), missing=0.06 + 0.01 * (seed % 7)) for seed in range(30)]
    past = [LoggedWindow(str(i), str(i + 1), count_rows(REFERENCE, frame)) for i, frame in enumerate(frames)]
    found = run_backtest(AlertBudget(1000.0, 24.0), seed=0, config=CONFIG, past=past, n=40)
    said = [detect(frame, REFERENCE).verdict == "drift" for frame in frames]
    assert sum(one.n_windows for one in found.incidents) == sum(said)
    assert len(found.incidents) == count_incidents(np.array(said))


def test_thresholds_of_the_noisiest_column_are_raised_until_the_log_meets_the_budget() -> None:
    odd = {2, 5, 8, 11}
    frames = [sample_rows(2_000, i, shift=0.2 + 0.01 * i if i in odd else 0.0) for i in range(14)]
    past = [LoggedWindow(str(i), str(i + 1), count_rows(REFERENCE, frame)) for i, frame in enumerate(frames)]
    found = run_backtest(AlertBudget(1.0, 24.0), seed=0, config=CONFIG, past=past, n=40)
    assert (len(found.incidents), found.n_incidents_with_proposal) == (4, 2)
    assert found.proposal is not None
    assert list(found.proposal) == ["data.columns.size.drift_limit"]
    before, after = found.proposal["data.columns.size.drift_limit"]
    assert before is None
    kept = [detect_drift(REFERENCE, one.counts, DriftContext(CONFIG, 200, {"size": after})).verdict for one in past]
    assert kept.count("drift") == 2
    text = list(proposal_lines(found, {"data.columns.size.drift_limit": "conf/data/x.yaml"}))
    assert f"+ data.columns.size.drift_limit: {after:g}" in text


def test_drift_needs_consecutive_windows() -> None:
    counts = [count_rows(REFERENCE, sample_rows(2_000, i, shift=0.5 if i in (1, 4, 5, 6) else 0.0)) for i in range(8)]
    held = CONFIG.model_copy(update={"consecutive_windows": 2})
    past = [LoggedWindow(str(i), str(i + 1), one) for i, one in enumerate(counts)]
    found = run_backtest(AlertBudget(100.0, 24.0), seed=0, config=held, past=past, n=40)
    assert [(one.since, one.until) for one in found.incidents] == [("5", "7")]


def test_raising_thresholds_ends_when_every_window_drifts() -> None:
    counts = [count_rows(REFERENCE, sample_rows(2_000, i, shift=2.0, missing=0.5)) for i in range(3)]
    windows = WindowCollection.from_tests(
        [[replace(one, p_value=0.0) for one in _column_tests(each)] for each in counts]
    )
    after = raise_column_thresholds(DriftThresholds.from_config(CONFIG, {}), windows, 0)
    assert not windows.alert_mask(after).any()


def _column_tests(counts: BinCounts) -> list[Any]:
    from pipeline.monitoring.drift.detection import column_pairs, column_tests
    from pipeline.monitoring.log.bin_counts import reference_counts

    pairs = column_pairs(REFERENCE, reference_counts(REFERENCE), counts)
    return [one for pair in pairs for one in column_tests(pair, CONFIG, 0.01, column_thresholds={})]


@pytest.mark.parametrize(("words", "per_week"), [("1/week", 1.0), ("2/day", 14.0), ("1/month", 0.23)])
def test_an_alert_budget_is_a_number_and_a_time_unit(words: str, per_week: float) -> None:
    assert parse_alert_budget(words, 24.0).alerts_per_week == pytest.approx(per_week, abs=0.001)


@pytest.mark.parametrize("words", ["1", "0/week", "1/fortnight", "many/day"])
def test_an_invalid_alert_budget_is_refused(words: str) -> None:
    with pytest.raises(
        UsageError, match="is invalid; expected a number and one of day, week, month, year, such as 1/week"
    ):
        parse_alert_budget(words, 24.0)


def test_replay_lists_degradations_without_drift(project: Path) -> None:
    monitor = make_monitor(project)
    calm, moved = live_rows(300, 1), live_rows(300, 2)
    name = next(name for name, entry in monitor.resolved_config.data.columns.items() if entry.dtype == "Int64")
    moved[name] = moved[name].max()
    end = NOW // hours_us(1) * hours_us(1)
    write_log(project, moved, start=end - hours_us(3), stop=end - hours_us(2), prefix="m")
    ids = write_log(project, calm, start=end - hours_us(2), stop=end - hours_us(1), prefix="c")
    target = monitor.resolved_config.data.target
    wrong = dict(zip(target.classes, reversed(target.classes), strict=True))
    write_outcomes(project, [(one, wrong[said]) for one, said in zip(ids, calm[target.column], strict=True)])
    found = replay_log(monitor, AlertBudget(7.0, 1.0), n_windows=6, sampling=WindowSampling(100, 0))
    assert [(one.n_windows, name in [c for c, _, _ in one.columns]) for one in found.incidents] == [(1, True)]
    assert len(found.missed_degradations) == 1
    assert any("no drift, but outcomes show degraded" in line for line in report_lines(found))


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
    assert {one["key"].rpartition(".")[0].partition(".")[0] for one in proposal} == {"drift"}
    first = proposal[0]
    diff = f"--- conf/drift/default.yaml\n- {first['key']}: {first['before']:g}\n+ {first['key']}: {first['after']:g}\n"
    assert diff in run.out
