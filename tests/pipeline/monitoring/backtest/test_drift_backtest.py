"""A backtest counts alerts and missed degradations, and proposes thresholds that meet an alert budget."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline.monitoring import DriftContext, detect_drift
from pipeline.monitoring.backtest.drift_backtest import (
    AlertBudget,
    BacktestReport,
    LoggedWindow,
    WindowSampling,
    backtest_drift_rules,
)
from pipeline.monitoring.backtest.log_replay import proposal_lines
from pipeline.monitoring.backtest.threshold_search import (
    count_incidents,
)
from tests.fixtures.proof import proof_rounds
from tests.pipeline.monitoring.drift_fixtures import CONFIG, SCHEMA, count_rows, detect, make_reference, sample_rows

pytestmark = pytest.mark.usefixtures("heavy_computation")

REFERENCE = make_reference()
LOOSE_CONFIG = CONFIG.model_copy(update={"alpha": 0.2})


def run_backtest(
    budget: AlertBudget, seed: int, *, config: Any = LOOSE_CONFIG, past: list[LoggedWindow] | None = None, n: int = 200
) -> BacktestReport:
    draws = WindowSampling(n, seed, 200)
    return backtest_drift_rules(
        REFERENCE, SCHEMA, config, budget=budget, logged_windows=past or [], min_rows=200, sampling=draws
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
    first, second, other = (run_backtest(AlertBudget(1.0, 4.0), seed=seed, n=40).as_dict() for seed in (1, 1, 2))
    assert first == second
    assert first != other


def _proposed_config(report: BacktestReport) -> Any:
    values = report.thresholds.values
    names = ("wasserstein", "missing", "rare_values", "rank_biserial")
    numeric = {name: values[f"drift.numeric.{name}"] for name in names}
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
    report = run_backtest(AlertBudget(1.0, 24.0), seed=3, config=CONFIG)
    assert report.proposal == {}
    assert "the thresholds meet the budget; nothing to change" in list(proposal_lines(report, {}))
    shifts = [
        power.power for power in report.detection_powers if power.column == "size" and power.change.startswith("shift")
    ]
    assert shifts == sorted(shifts)
    assert shifts[-1] > 0.95 > shifts[0]


def test_backtest_verdicts_equal_those_of_the_monitor() -> None:
    frames = [sample_rows(300, seed, shift=0.1 * (seed % 5), missing=0.06 + 0.01 * (seed % 7)) for seed in range(30)]
    past = [LoggedWindow(str(i), str(i + 1), count_rows(REFERENCE, frame)) for i, frame in enumerate(frames)]
    report = run_backtest(AlertBudget(1000.0, 24.0), seed=0, config=CONFIG, past=past, n=40)
    is_drift = [detect(frame, REFERENCE).verdict == "drift" for frame in frames]
    assert sum(incident.n_windows for incident in report.incidents) == sum(is_drift)
    assert len(report.incidents) == count_incidents(np.array(is_drift))


def test_thresholds_of_the_noisiest_column_are_raised_until_the_log_meets_the_budget() -> None:
    shifted = {2, 5, 8, 11}
    frames = [sample_rows(2_000, 80 + i, shift=0.2 + 0.01 * i if i in shifted else 0.0) for i in range(14)]
    past = [LoggedWindow(str(i), str(i + 1), count_rows(REFERENCE, frame)) for i, frame in enumerate(frames)]
    report = run_backtest(AlertBudget(1.0, 24.0), seed=0, config=CONFIG, past=past, n=40)
    assert (len(report.incidents), report.n_incidents_with_proposal) == (4, 2)
    assert report.proposal is not None
    assert list(report.proposal) == ["data.columns.size.drift_limit"]
    before, after = report.proposal["data.columns.size.drift_limit"]
    assert before is None
    context = DriftContext(CONFIG, 200, {"size": after})
    verdicts = [detect_drift(REFERENCE, window.counts, context).verdict for window in past]
    assert verdicts.count("drift") == 2
    text = list(proposal_lines(report, {"data.columns.size.drift_limit": "conf/data/x.yaml"}))
    assert f"+ data.columns.size.drift_limit: {after:g}" in text


def test_drift_needs_consecutive_windows() -> None:
    counts = [count_rows(REFERENCE, sample_rows(2_000, i, shift=0.5 if i in (1, 4, 5, 6) else 0.0)) for i in range(8)]
    config = CONFIG.model_copy(update={"consecutive_windows": 2})
    past = [LoggedWindow(str(i), str(i + 1), one) for i, one in enumerate(counts)]
    report = run_backtest(AlertBudget(100.0, 24.0), seed=0, config=config, past=past, n=40)
    assert [(incident.since, incident.until) for incident in report.incidents] == [("5", "7")]
