"""Importance changes with the concept, hardly ever by chance, and contributions do not see the concept."""

from __future__ import annotations

import pytest

from benchmarks.importance_alarm import ImportancePool, alarm_rate


@pytest.fixture(scope="module")
def pool() -> ImportancePool:
    return ImportancePool.measure("model=logistic_regression", "data.source.rows=7000", n_train=1_500, n_test=1_500)


def test_chance_gives_no_alarm_and_another_concept_does(pool: ImportancePool) -> None:
    assert alarm_rate(pool, 1_000, kind="loss", is_changed=False, n_windows=100) <= 0.01
    assert alarm_rate(pool, 1_000, kind="loss", is_changed=True, n_windows=100) >= 0.95


def test_contributions_need_no_outcomes_and_do_not_see_the_concept(pool: ImportancePool) -> None:
    assert alarm_rate(pool, 1_000, kind="contribution", is_changed=True, n_windows=20) == 0.0
