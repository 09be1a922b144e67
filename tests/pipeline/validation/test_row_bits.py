"""Rows in one bit each, against Python's sets."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.validation.row_bits import RowBits


@given(st.integers(0, 9), st.lists(st.booleans(), max_size=30), st.sets(st.integers(0, 40)))
@settings(max_examples=60, deadline=None)
def test_masks_and_rows_are_united(start: int, mask: list[bool], rows: set[int]) -> None:
    bits, others = RowBits(41), RowBits(41)
    bits.add_mask(np.array(mask, dtype=bool), start=start)
    others.add_rows(np.array(sorted(rows), dtype=np.int64))
    bits.add(others)
    members = {start + at for at, is_member in enumerate(mask) if is_member} | rows
    assert (bits.count(), set(np.flatnonzero(bits.mask()).tolist())) == (len(members), members)
