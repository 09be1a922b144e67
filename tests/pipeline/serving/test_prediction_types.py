from __future__ import annotations

from pipeline.serving.prediction_types import LineMap, PredictionBatch
from pipeline.serving.serving_errors import FieldError


def test_lines_with_several_errors_are_counted_once() -> None:
    error = FieldError("line 4.x", "type", "expected a number")
    assert LineMap([2, 3, 5], (error, error, error), (4, 4, 6)).n_rows == 5


def test_a_body_is_encoded_once_and_only_on_demand() -> None:
    calls: list[int] = []

    def encode() -> bytes:
        calls.append(1)
        return b"{}"

    batch = PredictionBatch([], [], [], [], [], [], (), 1, "champion", encode)
    assert calls == []
    assert (batch.body, batch.body, calls) == (b"{}", b"{}", [1])
