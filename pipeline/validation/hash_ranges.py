"""Find equal rows of a table of any size: hashes in ranges, sorted one range after another, on disk where many."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from itertools import pairwise
from typing import IO, TYPE_CHECKING, Any, Self, cast

import numpy as np

from pipeline.errors import DependencyUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]
    Rows = NDArray[np.int64]

__all__ = ["N_RANGES", "HashRanges", "count_repeats", "repeated_rows"]

N_RANGES = 256
_RANGE_SHIFT = np.uint64(56)
_RUN_ROWS = 1 << 20
_MAX_MEMORY_ROWS = 1 << 22
_ITEM_BYTES = 8


def count_repeats(hashes: Hashes) -> int:
    """Return how many rows repeat an earlier one."""
    in_order = np.sort(hashes)
    return int((in_order[1:] == in_order[:-1]).sum())


def repeated_rows(hashes: Hashes, rows: Rows) -> Rows:
    """Return the rows whose hash another row has, ascending."""
    order = np.argsort(hashes, kind="stable")
    is_equal_to_next = hashes[order[1:]] == hashes[order[:-1]]
    is_repeated = np.zeros(len(hashes), dtype=bool)
    is_repeated[1:] |= is_equal_to_next
    is_repeated[:-1] |= is_equal_to_next
    return np.sort(rows[order[is_repeated]])


@dataclass(frozen=True, slots=True)
class _SortedRun:
    """Hashes in ascending order, with their rows where these matter: in memory, or in a file from a byte on.

    `stops` has the end of each range, and 0 in front.
    """

    stops: NDArray[np.int64]
    hashes: Hashes | None
    rows: Rows | None = None
    first_byte: int = 0

    @property
    def n_rows(self) -> int:
        return int(self.stops[-1])


class HashRanges:
    """Hashes of rows, read back in ranges that hold all equal ones; equal hashes are never in two ranges.

    Up to four million stay in memory. Beyond, they are sorted a million at a time and written to a temporary file
    without a name, which ends with the process; a range is then 1/256 of all.

    Parameters
    ----------
    with_rows : bool
        Whether the number of each row is stored with its hash.
    max_memory_rows : int
        Rows from which on the temporary file is used.
    """

    def __init__(self, *, with_rows: bool = False, max_memory_rows: int = _MAX_MEMORY_ROWS) -> None:
        self.with_rows = with_rows
        self._max_memory_rows = max_memory_rows
        self._run_rows = min(_RUN_ROWS, max_memory_rows)
        self._hashes: list[Hashes] = []
        self._rows: list[Rows] = []
        self._n_waiting = 0
        self._runs: list[_SortedRun] = []
        self._file: IO[bytes] | None = None

    def add(self, hashes: Hashes, rows: Rows | None = None) -> None:
        """Add the hashes of a batch, with the numbers of their rows where these are stored.

        Raises
        ------
        DependencyUnavailable
            When the temporary folder is full.
        """
        self._hashes.append(hashes)
        if self.with_rows:
            self._rows.append(cast("Rows", rows))
        self._n_waiting += len(hashes)
        if self._n_waiting >= self._run_rows:
            self._sort_waiting()

    def _sort_waiting(self) -> None:
        hashes, rows = _sort_range(np.concatenate(self._hashes), _join(self._rows, np.int64))
        self._hashes, self._rows, self._n_waiting = [], [], 0
        self._runs.append(_SortedRun(_range_stops(hashes), hashes, rows if self.with_rows else None))
        if self._file is not None or sum(run.n_rows for run in self._runs) > self._max_memory_rows:
            self._write_runs()

    def _write_runs(self) -> None:
        try:
            if self._file is None:
                # `__exit__` closes it.
                self._file = tempfile.TemporaryFile(prefix="mlops-hashes-", buffering=0)  # noqa: SIM115
            self._runs = [run if run.hashes is None else self._write_run(self._file, run) for run in self._runs]
        except OSError as error:
            raise DependencyUnavailable(
                f"the temporary folder {tempfile.gettempdir()} cannot hold the hashes of the rows ({error});"
                " expected 8 bytes a row, and 16 for each unique key; set TMPDIR to a larger folder"
            ) from error

    def _write_run(self, file: IO[bytes], run: _SortedRun) -> _SortedRun:
        first_byte = file.seek(0, os.SEEK_END)
        for array in (run.hashes, run.rows):
            if array is not None:
                _write_all(file, array.tobytes())
        return _SortedRun(run.stops, None, None, first_byte)

    def ranges(self) -> Iterator[tuple[Hashes, Rows]]:
        """Yield all hashes in ranges, each with its rows (none where they are not stored); in no order inside one."""
        if self._file is None:
            runs = [run.hashes for run in self._runs if run.hashes is not None]
            rows = [run.rows for run in self._runs if run.rows is not None]
            yield _join(runs + self._hashes, np.uint64), _join(rows + self._rows, np.int64)
            return
        if self._n_waiting:
            self._sort_waiting()
        for at in range(N_RANGES):
            yield self._read_range(at)

    def sorted_ranges(self) -> Iterator[tuple[Hashes, Rows]]:
        """Yield exactly 256 ranges, each in ascending order, with rows (none where they are not stored)."""
        if self._file is None:
            hashes, rows = next(self.ranges())
            hashes, rows = _sort_range(hashes, rows)
            stops = _range_stops(hashes)
            for start, stop in pairwise(stops.tolist()):
                yield hashes[start:stop], rows[start:stop]
            return
        for hashes, rows in self.ranges():
            yield _sort_range(hashes, rows)

    def _read_range(self, at: int) -> tuple[Hashes, Rows]:
        file = cast("IO[bytes]", self._file)
        hashes, rows = [], []
        for run in self._runs:
            start, stop = int(run.stops[at]), int(run.stops[at + 1])
            hashes.append(_read_array(file, run.first_byte + start * _ITEM_BYTES, stop - start, np.uint64))
            if self.with_rows:
                first = run.first_byte + (run.n_rows + start) * _ITEM_BYTES
                rows.append(_read_array(file, first, stop - start, np.int64))
        return _join(hashes, np.uint64), _join(rows, np.int64)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the temporary file."""
        if self._file is not None:
            self._file.close()


def _sort_range(hashes: Hashes, rows: Rows) -> tuple[Hashes, Rows]:
    """Return hashes in ascending order, with their rows; equal ones stay in the order of their rows."""
    if not len(rows):
        return np.sort(hashes), rows
    order = np.argsort(hashes, kind="stable")
    return hashes[order], rows[order]


def _range_stops(hashes: Hashes) -> NDArray[np.int64]:
    """Return the end of each range in sorted hashes, and 0 in front."""
    limits = np.arange(1, N_RANGES, dtype=np.uint64) << _RANGE_SHIFT
    return np.concatenate([[0], np.searchsorted(hashes, limits), [len(hashes)]])


def _join(arrays: list[Any], dtype: Any) -> Any:
    return np.concatenate(arrays) if arrays else np.empty(0, dtype=dtype)


def _write_all(file: IO[bytes], content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[file.write(view) :]


def _read_array(file: IO[bytes], first: int, n: int, dtype: Any) -> Any:
    return np.frombuffer(os.pread(file.fileno(), n * _ITEM_BYTES, first), dtype=dtype)
