"""Rows read as a few long texts are those that were logged, to the last digit, on both databases."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline import state as store
from pipeline.errors import IntegrityError
from pipeline.monitoring.log.log_batch import DictionaryColumn, LogColumns
from pipeline.state import bulk_reader

if TYPE_CHECKING:
    from collections.abc import Collection

    from pipeline.state import LogChunk, State


def log_rows(
    state: State, n: int, *, word: str = "a", n_classes: int = 1, long: Collection[int] = ()
) -> list[store.PredictionRow]:
    """Log rows of two sources and weights, and every seventh of another model."""
    confidence = np.random.default_rng(0).uniform(0.3, 1.0, n).tolist()
    rows = [
        store.PredictionRow(
            f"p{i}", 10 * i, "other" if i % 7 == 6 else "m", 1, "d" * 64, 1,
            json.dumps({"text": f"é\n{i % 5}" + 5_000 * "x" * (i in long)}), word,
            json.dumps(dict.fromkeys("abcdefghij"[:n_classes], confidence[i])), confidence[i],
            "production", "champion", "file" if i % 3 else "api", i, 2.0 if i % 2 else 1.0, None, None,
        )
        for i in range(n)
    ]  # fmt: skip
    journal = store.PredictionWriter(state)
    journal.write(rows)
    journal.close()
    return rows


def read_chunk(state: State, progress: store.RollupProgress) -> LogChunk:
    with state.reading() as connection:
        part = store.read_chunk_after(connection, "m", progress, limit=1_000)
    assert part is not None
    return part


def decode_texts(column: DictionaryColumn) -> list[str | None]:
    return [column.dictionary[at] for at in column.indices.tolist()]


def test_every_row_is_read_once_as_it_was_logged(state: State) -> None:
    rows = [row for row in log_rows(state, 400) if row.model == "m"]
    part = read_chunk(state, store.RollupProgress(0, 0))
    found = []
    for packed in part.row_chunks:
        one = LogColumns.from_chunk(packed, part.outcome_chunk)
        assert set(one.outcome.indices.tolist()) == {0}
        values = (
            one.predicted_at.tolist(),
            decode_texts(one.features),
            decode_texts(one.prediction),
            decode_texts(one.probabilities),
        )
        more = (one.confidence.tolist(), one.latency_us.tolist())
        found += [(packed.source, packed.weight, *row) for row in zip(*values, *more, strict=True)]
    expected = [
        (
            row.source, row.weight, row.predicted_at, row.features, row.prediction, row.probabilities, row.confidence,
            row.latency_us,
        )
        for row in rows
    ]  # fmt: skip
    assert (sorted(found), len(part.row_chunks), part.n_rows) == (sorted(expected), 4, len(rows))


def test_chunks_of_many_classes_have_fewer_rows(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_reader, "_MAX_TEXT_BYTES", 20_000)
    log_rows(state, 400, n_classes=10)
    sizes = [
        sum(len(one.probabilities) for one in read_chunk(state, store.RollupProgress(seq, 0)).row_chunks)
        for seq in (0, 200)
    ]
    assert all(5_000 < size <= 20_000 for size in sizes)


@pytest.mark.parametrize(
    ("long", "least", "most"), [(range(60), 5, 12), (range(0, 400, 100), 300, 343), (range(380, 400), 150, 343)]
)
def test_only_many_long_rows_shrink_a_chunk(
    long: range, least: int, most: int, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_reader, "_MAX_TEXT_BYTES", 60_000)
    log_rows(state, 400, long=long)
    assert least <= read_chunk(state, store.RollupProgress(0, 0)).n_rows <= most


def test_a_row_without_an_outcome_is_of_no_class_whatever_classes_are_called() -> None:
    assert DictionaryColumn.encode(["", None, "a", "b"]).codes_among(["", "a"]).tolist() == [0, -1, 1, -1]


def test_the_last_outcome_within_progress_is_read_with_its_row(state: State) -> None:
    rows = log_rows(state, 5)
    with state.writing() as connection:
        received = (("p0", "a"), ("p1", "b\x1e"), ("p0", "b"), ("nobody", "a"), ("p4", "a"), ("p4", "b"))
        store.add_outcomes(connection, [(one, 1, outcome, "x") for one, outcome in received])
    part = read_chunk(state, store.RollupProgress(0, 5))
    known = {}
    for packed in part.row_chunks:
        one = LogColumns.from_chunk(packed, part.outcome_chunk)
        known |= dict(zip(one.predicted_at.tolist(), decode_texts(one.outcome), strict=True))
    assert [known[row.predicted_at] for row in rows] == ["b", "b\ufffd", None, None, "a"]


def test_a_class_name_with_the_separator_is_an_error(state: State) -> None:
    log_rows(state, 3, word="a\x1eb")
    part = read_chunk(state, store.RollupProgress(0, 0))
    with pytest.raises(IntegrityError, match=r"contains the character U\+001E"):
        LogColumns.from_chunk(part.row_chunks[0], part.outcome_chunk)
