"""Change single values of a few rows to edge cases; the number of rows does not grow with the number of columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

__all__ = ["EdgeCase", "rows_with_edge_cases"]


class EdgeCase(NamedTuple):
    """A value of one column that few rows have; None is a missing value."""

    column: str
    value: object


def rows_with_edge_cases(
    base: pd.DataFrame, cases: Sequence[EdgeCase], *, n_rows_each: int, max_rows: int
) -> pd.DataFrame:
    """Return copies of the rows of `base`, in which each case stands in `n_rows_each` rows.

    A row has one case as long as `max_rows` suffice, else several, of different columns. So time and memory
    grow with the number of columns, not with its square.

    Parameters
    ----------
    base : DataFrame, shape (n_base, n_columns)
        At least one row; the rows are copied in turn.
    cases : sequence of EdgeCase
        The cases of one column follow each other.
    n_rows_each : int
        Number of rows that have a case.
    max_rows : int
        Maximum number of rows; `n_rows_each` times the number of cases of one column, or more.

    Returns
    -------
    DataFrame, shape (min(len(cases) * n_rows_each, max_rows), n_columns)
    """
    n_rows = min(len(cases) * n_rows_each, max_rows)
    rows = base.iloc[np.arange(n_rows) % len(base)].reset_index(drop=True)
    changed = {case.column: rows[case.column].copy() for case in cases}
    for number, case in enumerate(cases):
        positions = (np.arange(n_rows_each) + number * n_rows_each) % n_rows
        changed[case.column].iloc[positions] = case.value
    return rows.assign(**changed)
