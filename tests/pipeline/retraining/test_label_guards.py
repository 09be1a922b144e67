"""Guards against wrong labels hold on one bad caller, not on a change that all callers see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pipeline.config.groups.lifecycle_config import LabelGuardsConfig
from pipeline.retraining.label_guards import GuardResult, LabelEvidence, evaluate_guards

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SETTINGS = LabelGuardsConfig(max_caller_share=0.5, max_contradictions=0.1, max_flips=0.05, skip_callers=[])


def evidence(
    wrong: Sequence[float],
    *,
    n: int = 200,
    n_changed: int = 0,
    coverage: Mapping[str, tuple[int, int]] | None = None,
    seed: int = 7,
) -> LabelEvidence:
    """Labels of callers that each contradict a share of sure rows, beside the 1.7% that happen by themselves."""
    rng = np.random.default_rng(seed)
    n_labels = n * len(wrong)
    share = np.repeat(np.asarray(wrong), n)
    y = (rng.random(n_labels) < 0.017 + share).astype(np.int64)
    return LabelEvidence(
        callers=[f"caller-{at}" for at in range(len(wrong)) for _ in range(n)],
        y=y,
        probabilities=np.tile([0.983, 0.017], (n_labels, 1)),
        is_changed=np.arange(n_labels) < n_changed,
        coverage=coverage if coverage is not None else {"A": (500, 300), "B": (500, 290)},
    )


def holding(labels: LabelEvidence, **changes: Any) -> list[GuardResult]:
    return [guard for guard in evaluate_guards(labels, SETTINGS.model_copy(update=changes)) if guard.result == "hold"]


def test_one_wrong_caller_is_named_and_all_wrong_callers_are_not_distinguished_from_a_change() -> None:
    assert [guard.caller for guard in holding(evidence([0.25, 0, 0, 0, 0]))] == ["caller-0"]
    assert holding(evidence([0.25] * 5)) == []


def test_one_wrong_caller_is_named_where_the_champion_is_certain_of_every_row() -> None:
    labels = evidence([0.25, 0, 0, 0, 0])
    labels.probabilities[:] = [1.0, 0.0]
    assert [guard.caller for guard in holding(labels)] == ["caller-0"]


def test_a_caller_of_doubtful_rows_is_not_accused() -> None:
    labels = evidence([0.0, 0.0, 0.0])
    doubtful = np.asarray(labels.of_caller("caller-0"))
    labels.probabilities[doubtful] = [0.97, 0.03]
    labels.y[doubtful] = np.arange(doubtful.sum()) % 8 == 0  # 12.5% instead of 3%, yet of rows like these
    others = ~doubtful
    labels.y[others] = np.arange(others.sum()) % 15 == 0  # 6.7% instead of 1.7%: the same factor
    assert holding(labels) == []


def test_a_rate_below_the_least_that_counts_holds_nothing() -> None:
    labels = evidence([0.06, 0, 0, 0, 0], n=2000)
    assert holding(labels) == []
    assert [guard.caller for guard in holding(labels, max_contradictions=0.05)] == ["caller-0"]


def test_a_caller_that_sends_most_labels_is_named() -> None:
    (guard,) = holding(evidence([0.0]))
    assert (guard.name, guard.caller) == ("caller_share", "caller-0")
    assert "max_caller_share: 1 " in guard.reason
    assert holding(evidence([0.0, 0.0])) == []


def test_corrected_outcomes_hold_beyond_their_share() -> None:
    assert holding(evidence([0, 0], n_changed=20)) == []
    assert [guard.name for guard in holding(evidence([0, 0], n_changed=21))] == ["flips"]


@pytest.mark.parametrize(
    ("coverage", "held"),
    [
        ({"A": (500, 300), "B": (500, 20)}, ["coverage"]),
        ({"A": (500, 300), "B": (500, 110)}, []),
        ({"A": (500, 300), "B": (5, 0)}, []),
        ({"A": (500, 300)}, []),
    ],
)
def test_a_class_with_a_third_of_the_outcomes_of_another_holds(
    coverage: dict[str, tuple[int, int]], held: list[str]
) -> None:
    assert [guard.name for guard in holding(evidence([0, 0], coverage=coverage))] == held


def test_no_label_holds_nothing() -> None:
    empty = LabelEvidence([], np.zeros(0, dtype=np.int64), np.zeros((0, 2)), np.zeros(0, dtype=bool), {})
    assert {guard.result for guard in evaluate_guards(empty, SETTINGS)} == {"pass"}


def test_error_rates_of_the_comparison_of_callers_stay_small() -> None:
    """100 draws of each line of `benchmarks/label_guard_rates.py`."""
    calm = sum(bool(holding(evidence([0.0] * 5, n=50, seed=seed))) for seed in range(100))
    changed = sum(bool(holding(evidence([0.09] * 5, n=200, seed=seed))) for seed in range(100))
    poisoned = sum(bool(holding(evidence([0.25, 0, 0, 0, 0], seed=seed))) for seed in range(100))
    assert (calm <= 3, changed <= 3, poisoned) == (True, True, 100)
