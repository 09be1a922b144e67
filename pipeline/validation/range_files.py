"""Write the hashes of a part of a table as a file, and find equal rows in the files of all parts."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.validation.hash_ranges import N_RANGES, count_repeats, repeated_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pipeline.storage import StoragePath
    from pipeline.validation.hash_ranges import HashRanges

__all__ = ["HashIndex", "RangeSpan", "SpanRepeats", "find_repeats", "plan_spans", "write_hashes"]

_HASH_TYPE = np.dtype("<u8")
_ROW_TYPE = np.dtype("<i8")
_SPAN_ROWS = 1 << 22


@dataclass(frozen=True, slots=True)
class HashIndex:
    """Where the hashes of a part are in its file.

    Attributes
    ----------
    first_byte : int
    stops : tuple of int
        Number of hashes up to the end of each range, and 0 in front.
    with_rows : bool
        Whether the rows of a range follow its hashes.
    """

    first_byte: int
    stops: tuple[int, ...]
    with_rows: bool

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return _HASH_TYPE.itemsize + (_ROW_TYPE.itemsize if self.with_rows else 0)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> HashIndex:
        """Return the index that `dataclasses.asdict` turned into JSON values."""
        return cls(values["first_byte"], tuple(values["stops"]), values["with_rows"])


@dataclass(frozen=True, slots=True)
class RangeSpan:
    """Neighboring ranges of one set of hashes, the end exclusive."""

    set_number: int
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class SpanRepeats:
    """The rows of a span that repeat an earlier one, and those that are equal to another one where rows are stored."""

    set_number: int
    n_repeats: int
    rows: NDArray[np.int64]


def write_hashes(sets: Iterable[HashRanges], path: Path) -> list[HashIndex]:
    """Write sets of hashes into one file, and return where each of them is."""
    indexes = []
    with path.open("wb") as file:
        for ranges in sets:
            first_byte, stops = file.tell(), [0]
            for hashes, rows in ranges.sorted_ranges():
                file.write(hashes.astype(_HASH_TYPE, copy=False).tobytes())
                file.write(rows.astype(_ROW_TYPE, copy=False).tobytes())
                stops.append(stops[-1] + len(hashes))
            indexes.append(HashIndex(first_byte, tuple(stops), ranges.with_rows))
    return indexes


def plan_spans(n_sets: int, *, n_rows: int) -> list[RangeSpan]:
    """Return spans of ranges that cover all sets; each has about four million of `n_rows` rows, or one range."""
    n_spans = min(N_RANGES, max(1, -(-n_rows // _SPAN_ROWS)))
    limits = [at * N_RANGES // n_spans for at in range(n_spans + 1)]
    return [RangeSpan(number, first, end) for number in range(n_sets) for first, end in pairwise(limits)]


def find_repeats(files: Sequence[tuple[StoragePath, Sequence[HashIndex]]], span: RangeSpan) -> SpanRepeats:
    """Return the equal rows of a span.

    Parameters
    ----------
    files : sequence of (StoragePath, sequence of HashIndex)
        The file of each part, and where each set is in it.
    span : RangeSpan
    """
    pieces: list[list[tuple[NDArray[np.uint64], NDArray[np.int64]]]] = [[] for _ in range(span.first, span.end)]
    for path, indexes in files:
        index = indexes[span.set_number]
        if index.stops[span.first] == index.stops[span.end]:
            continue
        with path.open_input() as stream:
            for piece, at in zip(pieces, range(span.first, span.end), strict=True):
                piece.append(_read_range(stream, index, at))
    n_repeats, rows = 0, [np.empty(0, dtype=np.int64)]
    for piece in pieces:
        if not piece:
            continue
        hashes, numbers = (np.concatenate(arrays) for arrays in zip(*piece, strict=True))
        n_repeats += count_repeats(hashes)
        if len(numbers):
            rows.append(repeated_rows(hashes, numbers))
    return SpanRepeats(span.set_number, n_repeats, np.sort(np.concatenate(rows)))


def _read_range(stream: Any, index: HashIndex, at: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    start, n_rows = index.stops[at], index.stops[at + 1] - index.stops[at]
    content = stream.read_at(n_rows * index.row_bytes, index.first_byte + start * index.row_bytes)
    n_hash_bytes = n_rows * _HASH_TYPE.itemsize
    hashes = np.frombuffer(content[:n_hash_bytes], dtype=_HASH_TYPE)
    return hashes.astype(np.uint64), np.frombuffer(content[n_hash_bytes:], dtype=_ROW_TYPE).astype(np.int64)
