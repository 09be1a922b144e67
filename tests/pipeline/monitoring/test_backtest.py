"""A backtest says what was raised and missed, and proposes limits that keep a budget of alerts."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from typer.testing import CliRunner

from pipeline.cli.root import app
from pipeline.errors import UsageError
from pipeline.monitoring import Counts, find_drift
from pipeline.monitoring.backtest import Backtest, Budget, Draws, Past, backtest
from pipeline.monitoring.proposing import Limits, Windows, n_incidents, raise_limits
from pipeline.monitoring.replaying import lines, parse_budget, proposal_lines, replay
from tests.pipeline.monitoring.logs import NAME, NOW, hours, live_rows, monitor_of, write_log, write_outcomes
from tests.pipeline.monitoring.windows import CONFIG, SCHEMA, judged, reference, rows, window
from tests.pipeline.problems import ROOT

if TYPE_CHECKING:
    from pathlib import Path

REFERENCE = reference()
LOUD = CONFIG.model_copy(update={"alpha": 0.2})


def drawn(budget: Budget, seed: int, *, config: Any = LOUD, past: list[Past] | None = None, n: int = 200) -> Backtest:
    draws = Draws(n, seed, 200)
    return backtest(REFERENCE, SCHEMA, config, budget, past=past or [], min_rows=200, draws=draws)


def test_proposed_limits_keep_the_budget_on_other_draws() -> None:
    budget = Budget(1.0, 4.0)  # 1 of 42 windows may raise something
    before = drawn(budget, seed=1, n=int(os.environ.get("MLOPS_BACKTEST_WINDOWS", "250")))
    assert before.false_alarms[1] > budget.share  # the lower end: the budget is not kept beyond chance
    assert before.proposal
    rounds = int(os.environ.get("MLOPS_BACKTEST_WINDOWS", "250"))
    others = drawn(budget, seed=2, config=_settings(before), n=rounds)
    assert others.false_alarms[1] <= budget.share


def test_equal_seeds_give_equal_backtests() -> None:
    one, other, third = (drawn(Budget(1.0, 4.0), seed=seed, n=40).as_dict() for seed in (1, 1, 2))
    assert one == other
    assert one != third


def _settings(found: Backtest) -> Any:
    values = found.limits.values
    numeric = {"wasserstein": values["drift.numeric.wasserstein"], "missing": values["drift.numeric.missing"]}
    return LOUD.model_copy(
        update={
            "alpha": values["drift.alpha"],
            "numeric": LOUD.numeric.model_copy(update=numeric),
            "categorical": LOUD.categorical.model_copy(
                update={"jensen_shannon": values["drift.categorical.jensen_shannon"]}
            ),
        }
    )


def test_a_budget_that_is_kept_changes_nothing_and_larger_shifts_are_found_more_often() -> None:
    found = drawn(Budget(1.0, 24.0), seed=3, config=CONFIG)
    assert found.proposal == {}
    assert "the budget is kept: nothing to change" in list(proposal_lines(found, {}))
    shifts = [one.found for one in found.sought if one.column == "size" and one.change.startswith("shift")]
    assert shifts == sorted(shifts)
    assert shifts[-1] > 0.95 > shifts[0]


def test_windows_are_decided_as_the_monitor_decides_them() -> None:
    frames = [rows(300, seed, shift=0.1 * (seed % 5), missing=0.06 + 0.01 * (seed % 7)) for seed in range(30)]
    past = [Past(str(i), str(i + 1), window(REFERENCE, frame)) for i, frame in enumerate(frames)]
    found = drawn(Budget(1000.0, 24.0), seed=0, config=CONFIG, past=past, n=40)
    said = [judged(frame, REFERENCE).verdict == "drift" for frame in frames]
    assert sum(one.n_windows for one in found.incidents) == sum(said)
    assert len(found.incidents) == n_incidents(np.array(said))


def test_limits_of_the_column_that_cries_most_are_raised_until_the_past_keeps_the_budget() -> None:
    odd = {2, 5, 8, 11}
    frames = [rows(2_000, i, shift=0.2 + 0.01 * i if i in odd else 0.0) for i in range(14)]
    past = [Past(str(i), str(i + 1), window(REFERENCE, frame)) for i, frame in enumerate(frames)]
    found = drawn(Budget(1.0, 24.0), seed=0, config=CONFIG, past=past, n=40)
    assert (len(found.incidents), found.n_incidents_with_proposal) == (4, 2)
    assert found.proposal is not None
    assert list(found.proposal) == ["data.columns.size.drift_limit"]
    before, after = found.proposal["data.columns.size.drift_limit"]
    assert before is None
    kept = [find_drift(REFERENCE, one.counts, CONFIG, min_rows=200, limits={"size": after}).verdict for one in past]
    assert kept.count("drift") == 2
    text = list(proposal_lines(found, {"data.columns.size.drift_limit": "conf/data/x.yaml"}))
    assert f"+ data.columns.size.drift_limit: {after:g}" in text


def test_drift_must_hold_over_windows_in_a_row() -> None:
    counts = [window(REFERENCE, rows(2_000, i, shift=0.5 if i in (1, 4, 5, 6) else 0.0)) for i in range(8)]
    held = CONFIG.model_copy(update={"hold_windows": 2})
    past = [Past(str(i), str(i + 1), one) for i, one in enumerate(counts)]
    found = drawn(Budget(100.0, 24.0), seed=0, config=held, past=past, n=40)
    assert [(one.since, one.until) for one in found.incidents] == [("5", "7")]


def test_raising_ends_even_where_every_window_is_far_off() -> None:
    counts = [window(REFERENCE, rows(2_000, i, shift=2.0, missing=0.5)) for i in range(3)]
    windows = Windows.of([[replace(one, p_value=0.0) for one in _tests(each)] for each in counts])
    after = raise_limits(Limits.of(CONFIG, {}), windows, 0)
    assert not windows.raised(after).any()


def _tests(counts: Counts) -> list[Any]:
    from pipeline.monitoring.counting import reference_counts
    from pipeline.monitoring.judging import column_pairs, column_tests

    pairs = column_pairs(REFERENCE, reference_counts(REFERENCE), counts)
    return [one for pair in pairs for one in column_tests(pair, CONFIG, 0.01, {})]


@pytest.mark.parametrize(("words", "per_week"), [("1/week", 1.0), ("2/day", 14.0), ("1/month", 0.23)])
def test_a_budget_is_a_number_and_a_span(words: str, per_week: float) -> None:
    assert parse_budget(words, 24.0).per_week == pytest.approx(per_week, abs=0.001)


@pytest.mark.parametrize("words", ["1", "0/week", "1/fortnight", "many/day"])
def test_another_budget_is_refused(words: str) -> None:
    with pytest.raises(UsageError, match="accepted is a number and one of day, week, month, year, such as 1/week"):
        parse_budget(words, 24.0)


def test_the_log_is_replayed_with_what_drift_missed(project: Path) -> None:
    monitor = monitor_of(project)
    calm, moved = live_rows(300, 1), live_rows(300, 2)
    name = next(name for name, entry in monitor.settings.data.columns.items() if entry.dtype == "Int64")
    moved[name] = moved[name].max()
    end = NOW // hours(1) * hours(1)
    write_log(project, moved, start=end - hours(3), stop=end - hours(2), prefix="m")
    ids = write_log(project, calm, start=end - hours(2), stop=end - hours(1), prefix="c")
    target = monitor.settings.data.target
    wrong = dict(zip(target.classes, reversed(target.classes), strict=True))
    write_outcomes(project, [(one, wrong[said]) for one, said in zip(ids, calm[target.column], strict=True)])
    found = replay(monitor, Budget(7.0, 1.0), n_windows=6, draws=Draws(100, 0))
    assert [(one.n_windows, name in [c for c, _, _ in one.columns]) for one in found.incidents] == [(1, True)]
    assert len(found.missed) == 1
    assert any("no column drifted, outcomes show worse" in line for line in lines(found))


def test_the_command_prints_a_diff_of_keys_by_file_and_json(project: Path) -> None:
    monitor_of(project)
    shutil.copytree(ROOT / "conf", project / "conf")
    for path in (project / "params.yaml", project / "conf/drift/default.yaml"):
        path.write_text(path.read_text(encoding="utf-8").replace("alpha: 0.02", "alpha: 0.2"), encoding="utf-8")
    call = ["monitor", "backtest", "--name", NAME, "--hours", "1", "--rows", "200", "--draws", "100", "--windows", "0"]
    with contextlib.chdir(project):
        told = CliRunner().invoke(app, call)
        plain = CliRunner().invoke(app, [*call, "--json"])
    proposal = json.loads(plain.stdout)["proposal"]
    assert {one["key"].rpartition(".")[0].partition(".")[0] for one in proposal} == {"drift"}
    first = proposal[0]
    diff = f"--- conf/drift/default.yaml\n- {first['key']}: {first['before']:g}\n+ {first['key']}: {first['after']:g}\n"
    assert diff in told.stdout
