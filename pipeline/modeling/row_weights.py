"""How much each row counts in training, by the column with the role weight."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import DataError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.schema import Schema

__all__ = ["row_weights"]


def row_weights(frame: pd.DataFrame, schema: Schema) -> NDArray[np.float64] | None:
    """Return the weights of rows with a mean of 1; None where all rows count the same.

    Parameters
    ----------
    frame : DataFrame
        Rows with the column that has the role weight, if the schema has one.
    schema : Schema

    Raises
    ------
    DataError
        When a weight is missing, negative or infinite, or all of them are 0.
    """
    name = schema.weight_name
    if name is None:
        return None
    if name not in frame:
        raise DataError(f"{name}: the rows lack the column with the role weight")
    weights = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
    if (is_invalid := ~(np.isfinite(weights) & (weights >= 0))).any():
        row = int(np.flatnonzero(is_invalid)[0])
        raise DataError(
            f"{name}: the weight of row {row} is {weights[row]} ({int(is_invalid.sum())} such rows); expected a finite"
            f" number of at least 0: correct the source, or declare `checks: {{ge: 0}}` under data.columns.{name}"
        )
    if not weights.any():
        raise DataError(f"{name}: the weight of every row is 0; expected a positive one: remove the column's role")
    return None if (weights == weights[0]).all() else np.asarray(weights / weights.mean())
