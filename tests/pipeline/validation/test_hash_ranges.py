"""Hashes in memory and on disk give the same equal rows, and those on disk need no memory."""

from __future__ import annotations

import tempfile
import tracemalloc
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import DependencyUnavailable
from pipeline.schema.feature_hash import mix_hashes
from pipeline.validation.hash_ranges import HashRanges, count_repeats, repeated_rows

if TYPE_CHECKING:
    from pathlib import Path


def find_repeats(hashes: np.ndarray, *, max_memory_rows: int, batch_rows: int) -> tuple[int, list[int]]:
    with (
        HashRanges(max_memory_rows=max_memory_rows) as plain,
        HashRanges(with_rows=True, max_memory_rows=max_memory_rows) as numbered,
    ):
        for start in range(0, len(hashes), batch_rows):
            batch = hashes[start : start + batch_rows]
            plain.add(batch)
            numbered.add(batch, np.arange(start, start + len(batch)))
        n_repeats = sum(count_repeats(some_hashes) for some_hashes, _ in plain.ranges())
        rows = [repeated_rows(some_hashes, some_rows).tolist() for some_hashes, some_rows in numbered.ranges()]
    return n_repeats, sorted(row for some_rows in rows for row in some_rows)


@given(st.lists(st.integers(0, 12), min_size=1, max_size=60), st.integers(1, 70), st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_equal_rows_are_those_of_a_count(values: list[int], max_memory_rows: int, batch_rows: int) -> None:
    hashes = mix_hashes(np.array(values, dtype=np.uint64))
    n_repeats, rows = find_repeats(hashes, max_memory_rows=max_memory_rows, batch_rows=batch_rows)
    assert n_repeats == len(values) - len(set(values))
    assert rows == [at for at, value in enumerate(values) if values.count(value) > 1]


def peak_bytes(n_rows: int) -> int:
    tracemalloc.start()
    with HashRanges(with_rows=True, max_memory_rows=1 << 15) as ranges:
        for start in range(0, n_rows, 1 << 13):
            rows = np.arange(start, start + (1 << 13))
            ranges.add(mix_hashes(rows.astype(np.uint64)), rows)
        assert sum(len(hashes) for hashes, _ in ranges.ranges()) == n_rows
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_memory_does_not_grow_with_the_rows() -> None:
    assert peak_bytes(1 << 20) < 1.2 * peak_bytes(1 << 17)


def test_a_full_temporary_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    with pytest.raises(DependencyUnavailable, match=r"absent cannot hold the hashes.*set TMPDIR"):
        find_repeats(np.arange(20, dtype=np.uint64), max_memory_rows=4, batch_rows=3)
