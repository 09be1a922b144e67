"""Hash files of parts give the equal rows of the whole, whatever is in memory or on disk."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.schema.feature_hash import mix_hashes
from pipeline.storage import StoragePath
from pipeline.validation.hash_ranges import N_RANGES, HashRanges, count_repeats, repeated_rows
from pipeline.validation.range_files import HashIndex, RangeSpan, find_repeats, plan_spans, write_hashes

if TYPE_CHECKING:
    from pathlib import Path

HASHES = mix_hashes(np.random.default_rng(0).integers(0, 3_000, 5_000).astype(np.uint64))


def write_part(path: Path, start: int, stop: int, *, max_memory_rows: int) -> tuple[StoragePath, list[HashIndex]]:
    with (
        HashRanges(max_memory_rows=max_memory_rows) as plain,
        HashRanges(with_rows=True, max_memory_rows=max_memory_rows) as numbered,
    ):
        plain.add(HASHES[start:stop])
        numbered.add(HASHES[start:stop], np.arange(start, stop))
        indexes = write_hashes([plain, numbered], path)
    return StoragePath.parse(path), [HashIndex.from_dict(asdict(index)) for index in indexes]


@pytest.mark.parametrize("max_memory_rows", [10, 10_000], ids=["spilled", "in memory"])
def test_equal_rows_across_parts_are_those_of_the_whole(tmp_path: Path, max_memory_rows: int) -> None:
    limits = [(0, 1), (1, 1), (1, 2_500), (2_500, 5_000)]
    files = [write_part(tmp_path / str(at), *limit, max_memory_rows=max_memory_rows) for at, limit in enumerate(limits)]
    spans = [RangeSpan(number, first, first + 64) for number in (0, 1) for first in range(0, N_RANGES, 64)]
    repeats = [find_repeats(files, span) for span in spans]
    assert sum(each.n_repeats for each in repeats if each.set_number == 0) == count_repeats(HASHES)
    rows = sorted(row for each in repeats if each.set_number == 1 for row in each.rows.tolist())
    assert rows == repeated_rows(HASHES, np.arange(5_000)).tolist()


@pytest.mark.parametrize("n_rows", [0, 1, 10_000_000, 10**12])
def test_spans_cover_every_range_of_every_set_once(n_rows: int) -> None:
    covered = [(span.set_number, at) for span in plan_spans(3, n_rows=n_rows) for at in range(span.first, span.end)]
    assert covered == [(number, at) for number in range(3) for at in range(N_RANGES)]
