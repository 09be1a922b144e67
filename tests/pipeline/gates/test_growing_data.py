"""The champion gate stays right when data grows; benchmarks/growing_data.py runs 20 retrains."""

from __future__ import annotations

import pytest

from benchmarks.growing_data import count_verdicts

pytestmark = pytest.mark.usefixtures("heavy_computation")


@pytest.mark.parametrize("is_labeled", [False, True])
def test_a_retrain_on_more_rows_is_not_inferior(*, is_labeled: bool) -> None:
    assert count_verdicts(2, 1200, "data.split.kind=by_hash", is_labeled=is_labeled)["inferior"] == 0


@pytest.mark.parametrize(("ignore_train_rows", "is_inferior"), [(True, True), (False, False)])
def test_a_new_split_needs_the_rows_of_the_champion(*, ignore_train_rows: bool, is_inferior: bool) -> None:
    counts = count_verdicts(2, 2000, "data.split.kind=stratified", ignore_train_rows=ignore_train_rows)
    assert (counts["inferior"] > 0) is is_inferior
