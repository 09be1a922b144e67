"""Counts of parts add up to those of the whole window."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks import drift_rules
from pipeline.monitoring.log import count_frame
from tests.fixtures.toy_dataset import rows, schema
from tests.pipeline.monitoring.drift_fixtures import (
    count_rows,
    make_reference,
    sample_rows,
)
from tests.pipeline.monitoring.log_fixtures import plain_counts


def test_counts_of_parts_add_up_to_those_of_the_whole_window() -> None:
    reference, frame = make_reference(), sample_rows(3_000, 7)
    merged = count_rows(reference, frame[:1_000]).merge(count_rows(reference, frame[1_000:]))
    whole = count_rows(reference, frame)
    assert (merged.n_rows, plain_counts(merged)) == (whole.n_rows, plain_counts(whole))


def test_a_column_that_one_part_lacks_is_counted_by_neither() -> None:
    reference = make_reference()
    merged = count_rows(reference, sample_rows(500, 7)).merge(
        count_rows(reference, sample_rows(500, 8).drop(columns="plan"))
    )
    assert ("plan" in merged.features, merged.problems) == (False, {"plan": "the rows have no such column"})


def test_the_state_of_seven_columns_is_small() -> None:
    reference = drift_rules.draw_reference(np.random.default_rng(0))
    counts = drift_rules.draw_window(reference, 1_000_000, np.random.default_rng(1))
    assert counts.n_bytes <= 50_000


def test_arrow_arrays_of_every_kind_are_counted_as_a_frame_is() -> None:
    frame = rows(3_000)
    frame["note"] = frame["note"].where(frame.index % 7 > 0)
    reference = make_reference(frame, schema())
    table = pa.Table.from_pandas(frame, preserve_index=False)
    arrays = {name: table.column(name).combine_chunks() for name in table.column_names}
    arrays["colour"] = arrays["colour"].dictionary_encode()
    shifted = {**arrays, "size": pc.add(arrays["size"], 1.5)}
    for given, same_rows in ((arrays, frame), (shifted, frame.assign(size=frame["size"] + 1.5))):
        counts = count_frame(reference, given, n_rows=len(frame), score=arrays["size"], predicted=arrays["answer"])
        expected = count_frame(reference, same_rows, n_rows=len(frame), score=frame["size"], predicted=frame["answer"])
        assert (plain_counts(counts), counts.problems) == (plain_counts(expected), {})


def test_an_arrow_array_of_another_kind_is_a_problem_of_its_column() -> None:
    counts = count_frame(make_reference(), {"size": pa.array(["tall"])}, n_rows=1)
    assert counts.problems["size"].startswith("cannot be counted")
