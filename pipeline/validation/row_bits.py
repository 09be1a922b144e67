"""Remember which rows of a table fail, in one bit a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["RowBits"]

_BITS = 8


class RowBits:
    """A set of rows of a table, in one bit a row.

    Parameters
    ----------
    n_rows : int
        Rows of the table; members are 0 to `n_rows` - 1.
    packed : uint8, shape (ceil(n_rows / 8),), optional
        The bits of members, the lowest first; none are members when None.

    Examples
    --------
    >>> rows = RowBits(10)
    >>> rows.add_mask(np.array([True, False, True]), start=6)
    >>> rows.add_rows(np.array([6, 9]))
    >>> rows.count(), np.flatnonzero(rows.mask()).tolist()
    (3, [6, 8, 9])
    """

    def __init__(self, n_rows: int, packed: NDArray[np.uint8] | None = None) -> None:
        self.n_rows = n_rows
        self.packed = np.zeros(-(-n_rows // _BITS), dtype=np.uint8) if packed is None else packed

    def add_mask(self, mask: NDArray[np.bool_], *, start: int = 0) -> None:
        """Add the rows of a mask whose first row is `start`."""
        first = start // _BITS
        packed = np.packbits(np.concatenate([np.zeros(start % _BITS, dtype=bool), mask]), bitorder="little")
        self.packed[first : first + len(packed)] |= packed

    def add_rows(self, rows: NDArray[np.int64]) -> None:
        """Add rows by their number."""
        np.bitwise_or.at(self.packed, rows // _BITS, np.left_shift(1, rows % _BITS).astype(np.uint8))

    def add(self, other: RowBits) -> None:
        """Add the rows of another set of the same table."""
        self.packed |= other.packed

    def count(self) -> int:
        """Return the number of rows."""
        return int(np.bitwise_count(self.packed).sum(dtype=np.int64))

    def mask(self) -> NDArray[np.bool_]:
        """Return which rows are members, shape (n_rows,)."""
        return np.unpackbits(self.packed, count=self.n_rows, bitorder="little").astype(bool)
