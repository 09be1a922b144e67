"""Slices of two models are compared on the same rows, in the order of the columns."""

from __future__ import annotations

import numpy as np

from pipeline.evaluation import compare_slices
from tests.fixtures.toy_dataset import rows, schema, settings
from tests.pipeline.change_report.test_paired_evaluation import scores_with_noise

FRAME = rows(1200)
CONFIG = settings().evaluation


def test_exchanged_models_exchange_better_and_worse() -> None:
    is_red = (FRAME["colour"] == "red").to_numpy(dtype=bool, na_value=False)
    before, after = (scores_with_noise(np.where(is_red, red, 0.5)) for red in (0.5, 4.0))
    there = compare_slices((after, before), FRAME, FRAME, schema=schema(), config=CONFIG)
    back = compare_slices((before, after), FRAME, FRAME, schema=schema(), config=CONFIG)
    opposite = {"worse": "better", "better": "worse"}
    assert [opposite.get(change.verdict, change.verdict) for change in there] == [change.verdict for change in back]
    assert {(change.column, change.value): change.verdict for change in there}["colour", "red"] == "worse"
    assert list(dict.fromkeys(change.column for change in there)) == [
        column.name for column in schema().features if any(change.column == column.name for change in there)
    ]
