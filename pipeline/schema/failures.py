"""List the cells of a frame that break the declared rules, as Pandera finds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
from pandera.errors import SchemaErrors

from pipeline.schema.checks import pandera_schema

if TYPE_CHECKING:
    from pipeline.schema.declaration import Schema

__all__ = ["Failure", "failing_cells", "failures"]

_NAMES = {"not_nullable": "missing", "field_uniqueness": "unique", "multiple_fields_uniqueness": "unique_together"}


@dataclass(frozen=True, slots=True)
class Failure:
    """One cell: the row (from 0) and column where it stands, the rule that it breaks, None where it is missing."""

    row: int
    column: str
    rule: str
    value: str | None


def failing_cells(frame: pd.DataFrame, schema: Schema, *, with_target: bool = True) -> pd.DataFrame:
    """Return one row for each cell of `frame` that breaks a rule.

    Returns
    -------
    DataFrame
        `row` (from 0; the index of `frame` is ignored), `column`, `rule`, `value`; by row, column and rule.
        Rules have the names of the declaration, and `missing`, `unique` and `unique_together`; a row that
        breaks the last is listed for each of the columns that it names. A key with a missing part is never
        a repeated one, as in SQL.
    """
    try:
        pandera_schema(schema, with_target=with_target).validate(frame.reset_index(drop=True), lazy=True)
    except SchemaErrors as error:
        cases = error.failure_cases.dropna(subset=["index"])
        found = pd.DataFrame(
            {
                "row": cases["index"].astype("int64"),
                "column": cases["column"].astype("object"),
                "rule": cases["check"].astype("object").replace(_NAMES),
                "value": cases["failure_case"].astype("object"),
            }
        )
        found = _with_whole_keys(found, schema)
        return found.sort_values(["row", "column", "rule"], kind="stable", ignore_index=True)
    return pd.DataFrame({"row": pd.Series(dtype="int64"), "column": [], "rule": [], "value": []})


def _with_whole_keys(found: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Return `found` without rows whose key has a missing part: Pandera lists the parts that are there."""
    is_key = found["rule"] == "unique_together"
    n_parts = found["row"].where(is_key).map(found.loc[is_key, "row"].value_counts())
    return found[~is_key | (n_parts == len(schema.unique or ()))]


def failures(frame: pd.DataFrame, schema: Schema, *, with_target: bool = True) -> list[Failure]:
    """Return every cell of `frame` (its index is ignored) that breaks a rule, by row, column and rule."""
    cells = failing_cells(frame, schema, with_target=with_target)
    return [
        Failure(int(row), str(column), str(rule), None if pd.isna(value) else str(value))
        for row, column, rule, value in cells.itertuples(index=False)
    ]
