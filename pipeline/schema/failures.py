"""List the cells of a frame that break the declared rules, as Pandera finds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from pipeline.schema.pandera_schema import pandera_schema

if TYPE_CHECKING:
    from pandera.errors import SchemaError

    from pipeline.schema.declaration import Schema

__all__ = ["CellFailure", "ColumnFailure", "SchemaFailures", "find_failures", "list_failures"]

_RULE_NAMES = {"not_nullable": "missing", "field_uniqueness": "unique", "multiple_fields_uniqueness": "unique_together"}


@dataclass(frozen=True, slots=True)
class CellFailure:
    """One cell: the row (from 0) and column where it stands, the rule that it breaks, None where it is missing."""

    row: int
    column: str
    rule: str
    value: str | None


@dataclass(frozen=True, slots=True)
class ColumnFailure:
    """A column that breaks a rule as a whole, or on which a rule could not be tried, for a `reason`."""

    column: str
    rule: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class SchemaFailures:
    """What of a frame breaks the declared rules.

    Attributes
    ----------
    cells : DataFrame
        `row` (from 0; the index of the frame is ignored), `column`, `rule`, `value`; by row, column and rule.
        Rules have the names of the declaration, and `missing`, `unique` and `unique_together`; a row that
        breaks the last is listed for each of the columns that it names. A key with a missing part is never
        a repeated one, as in SQL.
    columns : tuple of ColumnFailure
    """

    cells: pd.DataFrame
    columns: tuple[ColumnFailure, ...]


def find_failures(frame: pd.DataFrame, schema: Schema, *, with_target: bool = True) -> SchemaFailures:
    """Return everything in `frame` that breaks a rule; a rule that cannot be tried hides no other."""
    from pandera.errors import SchemaErrorReason, SchemaErrors

    try:
        pandera_schema(schema, with_target=with_target).validate(frame.reset_index(drop=True), lazy=True)
    except SchemaErrors as error:
        columns = tuple(
            ColumnFailure(str(one.schema.name), str(one.check.error), _failure_reason(one))
            for one in error.schema_errors
            if one.reason_code in (SchemaErrorReason.CHECK_ERROR, SchemaErrorReason.DATAFRAME_CHECK)
            and one.failure_cases is not None
            and _has_no_row_index(one.failure_cases)
        )
        cases = error.failure_cases.dropna(subset=["index"])
        found = pd.DataFrame(
            {
                "row": cases["index"].astype("int64"),
                "column": cases["column"].astype("object"),
                "rule": cases["check"].astype("object").replace(_RULE_NAMES),
                "value": cases["failure_case"].astype("object"),
            }
        )
        found = _drop_partial_keys(found, schema)
        return SchemaFailures(found.sort_values(["row", "column", "rule"], kind="stable", ignore_index=True), columns)
    return SchemaFailures(pd.DataFrame({"row": pd.Series(dtype="int64"), "column": [], "rule": [], "value": []}), ())


def _has_no_row_index(cases: object) -> bool:
    return not isinstance(cases, pd.DataFrame) or bool(cases["index"].isna().all())


def _failure_reason(error: SchemaError) -> str | None:
    from pandera.errors import SchemaErrorReason

    if error.reason_code is not SchemaErrorReason.CHECK_ERROR:
        return None
    return str(error).removeprefix("Error while executing check function: ").splitlines()[0]


def _drop_partial_keys(cells: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Return `found` without rows whose key has a missing part: Pandera lists the parts that are there."""
    is_key = cells["rule"] == "unique_together"
    n_parts = cells["row"].where(is_key).map(cells.loc[is_key, "row"].value_counts())
    return cells[~is_key | (n_parts == len(schema.unique or ()))]


def list_failures(frame: pd.DataFrame, schema: Schema, *, with_target: bool = True) -> list[CellFailure]:
    """Return every cell of `frame` (its index is ignored) that breaks a rule, by row, column and rule.

    What a column as a whole breaks, or a rule that cannot be tried on it, comes first and points to row 0.
    """
    found = find_failures(frame, schema, with_target=with_target)
    whole = [CellFailure(0, one.column, one.rule, one.reason or "the column as a whole") for one in found.columns]
    return whole + [
        CellFailure(int(row), str(column), str(rule), None if pd.isna(value) else str(value))
        for row, column, rule, value in found.cells.itertuples(index=False)
    ]
