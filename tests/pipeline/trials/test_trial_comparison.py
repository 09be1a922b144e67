"""Sums of a trial equal the losses of both packages on the logged rows, however the outcomes arrive."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline import state as store
from pipeline.errors import Conflict
from pipeline.trials import update_comparison
from pipeline.trials.trial_comparison import recompute_comparison
from tests.pipeline.monitoring.log_fixtures import NOW
from tests.pipeline.trials.trial_fixtures import (
    START,
    add_outcomes,
    log_with_outcomes,
    open_trial,
    package_store,
    state_at,
)

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from pipeline.state import Trial
    from pipeline.trials import Comparison


def _update(root: Path, trial: Trial) -> Comparison:
    with state_at(root) as state:
        return update_comparison(state, package_store(root), trial)


def _recompute(root: Path, trial: Trial, comparison: Comparison) -> Comparison:
    with state_at(root) as state:
        return recompute_comparison(
            state,
            package_store(root),
            trial,
            until_outcome=comparison.until_outcome,
            compared_at=comparison.compared_at,
        )


def _log_loss_differences(root: Path, trial: Trial, rows: pd.DataFrame) -> np.ndarray:
    """Return the differences by the definition of the metric, from the packages themselves."""
    losses = []
    for digest in (trial.champion_digest, trial.challenger_digest):
        package = package_store(root).load(digest)
        codes = np.array([package.classes.index(label) for label in rows["truth"]])
        probabilities = package.predict_proba(rows)
        losses.append(-np.log(probabilities[np.arange(len(rows)), codes]))
    return np.asarray(losses[0] - losses[1])


def _assert_equal(one: Comparison, other: Comparison) -> None:
    for name in one.__slots__:
        assert np.array_equal(getattr(one, name), getattr(other, name)), name


def test_sums_by_hour_equal_the_losses_of_both_packages(project: Path) -> None:
    rows = log_with_outcomes(project, 400)
    trial = open_trial(project)
    comparison = _update(project, trial)
    differences = _log_loss_differences(project, trial, rows)
    hours = np.unique(rows["received_at"] // store.HOUR_US, return_inverse=True)[1]
    expected = np.bincount(hours, weights=differences)[: len(comparison.sums)]
    assert comparison.sums == pytest.approx(expected, abs=1e-6)
    assert comparison.squares == pytest.approx(np.bincount(hours, weights=differences**2)[: len(expected)], abs=1e-6)
    assert comparison.n_outcomes == comparison.weights.sum() == (rows["received_at"] < NOW - NOW % store.HOUR_US).sum()


def test_an_update_in_parts_equals_one_from_the_log_alone(project: Path) -> None:
    rows = log_with_outcomes(project, 120)
    trial = open_trial(project)
    _update(project, trial)
    late = [(name, NOW - 2 * store.HOUR_US, "Introvert") for name in rows["prediction_id"][:30]]
    add_outcomes(project, late)
    comparison = _update(project, trial)
    _assert_equal(comparison, _recompute(project, trial, comparison))
    _assert_equal(comparison, _update(project, trial))


def test_a_corrected_outcome_changes_the_hour_in_which_it_arrives(project: Path) -> None:
    rows = log_with_outcomes(project, 120)
    trial = open_trial(project)
    before = _update(project, trial)
    name, truth = rows["prediction_id"][0], rows["truth"][0]
    other = "Extrovert" if truth == "Introvert" else "Introvert"
    add_outcomes(project, [(name, NOW - 3 * store.HOUR_US, other)])
    changed = _update(project, trial)
    change = changed.sums - before.sums
    assert changed.n_outcomes == before.n_outcomes
    assert np.flatnonzero(change).tolist() == [len(change) - 4 + 1]
    add_outcomes(project, [(name, NOW - 3 * store.HOUR_US, truth)])
    restored = _update(project, trial)
    assert (restored.sums.tolist(), restored.squares.tolist()) == (before.sums.tolist(), before.squares.tolist())


def test_sampled_rows_count_by_their_weight(project: Path) -> None:
    log_with_outcomes(project, 90, weights=[4.0] * 90)
    trial = open_trial(project)
    comparison = _update(project, trial)
    assert comparison.weights.sum() == 4 * comparison.n_outcomes


def test_predictions_before_fresh_from_do_not_count(project: Path) -> None:
    rows = log_with_outcomes(project, 90)
    trial = open_trial(project)
    moment = START + 45 * store.HOUR_US
    with state_at(project) as state:
        fresh = update_comparison(state, package_store(project), replace(trial, fresh_from=moment))
    assert 0 < fresh.n_outcomes < len(rows) * 0.6


def test_two_updates_at_once_count_each_outcome_once(project: Path) -> None:
    log_with_outcomes(project, 90)
    trial = open_trial(project)
    comparison = _update(project, trial)
    with state_at(project) as state, state.writing() as connection, pytest.raises(Conflict, match="another process"):
        store.add_trial_sums(connection, trial.seq, {}, after=0, until=comparison.until_outcome)
