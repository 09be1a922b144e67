"""Trials are found by both of their versions, in either order."""

from __future__ import annotations

import pytest

from app.page_queries import comparison_queries
from pipeline.state import ModelVersion

pytestmark = pytest.mark.xdist_group("app")


def version(number: int) -> ModelVersion:
    return ModelVersion("iris_model", number, "0" * 64, "1.0.0", "None", "", {}, 0)


def test_trials_between_two_versions_are_found(loop_trial: int) -> None:
    n_trials = {
        pair: [trial.seq for trial in comparison_queries.trials_between(version(pair[0]), version(pair[1]))]
        for pair in ((1, 2), (2, 1), (1, 3))
    }
    assert n_trials == {(1, 2): [loop_trial], (2, 1): [loop_trial], (1, 3): []}
