"""Several verdicts together have the most severe one."""

from __future__ import annotations

import itertools
from typing import get_args

import pytest

from pipeline.monitoring.drift.verdict_severity import DriftVerdict, most_severe_verdict

BY_SEVERITY: tuple[DriftVerdict, ...] = ("drift", "watch", "not_enough_data", "stable", "not_evaluated")


def test_every_verdict_has_a_severity() -> None:
    assert set(get_args(DriftVerdict)) == set(BY_SEVERITY)


@pytest.mark.parametrize(("severe", "mild"), list(itertools.combinations(BY_SEVERITY, 2)))
def test_the_more_severe_of_two_verdicts_wins_in_either_order(severe: DriftVerdict, mild: DriftVerdict) -> None:
    assert {most_severe_verdict([severe, mild]), most_severe_verdict([mild, severe])} == {severe}


def test_no_verdicts_are_not_evaluated() -> None:
    assert most_severe_verdict([]) == "not_evaluated"
