"""Find the cells of a frame that break declared rules, with Pandera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from pipeline.schema.pandera_schema import pandera_schema

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pandera.errors import SchemaError

    from pipeline.schema.declaration import Schema

__all__ = ["CellFailure", "ColumnFailure", "SchemaFailures", "find_failures", "list_failures"]

_RULE_NAMES = {"not_nullable": "missing", "field_uniqueness": "unique", "multiple_fields_uniqueness": "unique_together"}


@dataclass(frozen=True, slots=True)
class CellFailure:
    """A cell that breaks a rule: its row (from 0), its column, the rule, its value (None where it is missing)."""

    row: int
    column: str
    rule: str
    value: str | None


@dataclass(frozen=True, slots=True)
class ColumnFailure:
    """A column that breaks a rule as a whole, or for which a rule could not run, for a `reason`."""

    column: str
    rule: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class SchemaFailures:
    """The cells and columns of a frame that break declared rules.

    Attributes
    ----------
    cells : DataFrame
        `row` (from 0; the index of the frame is ignored), `column`, `rule`, `value`; by row, column and rule.
        Rules have the names of the declaration, and `missing`, `unique` and `unique_together`; a row that
        breaks the last is listed for each column of the key. A key with a missing part is never a duplicate,
        as in SQL.
    columns : tuple of ColumnFailure
    """

    cells: pd.DataFrame
    columns: tuple[ColumnFailure, ...]


def find_failures(frame: pd.DataFrame, schema: Schema, *, with_target: bool = True) -> SchemaFailures:
    """Return the failures of `frame`; a rule that cannot run hides no other."""
    from pandera.errors import SchemaErrorReason, SchemaErrors

    try:
        pandera_schema(schema, with_target=with_target).validate(frame.reset_index(drop=True), lazy=True)
    except SchemaErrors as error:
        columns = tuple(
            ColumnFailure(str(failure.schema.name), str(failure.check.error), _failure_reason(failure))
            for failure in error.schema_errors
            if failure.reason_code in (SchemaErrorReason.CHECK_ERROR, SchemaErrorReason.DATAFRAME_CHECK)
            and failure.failure_cases is not None
            and _has_no_row_index(failure.failure_cases)
        )
        cases = error.failure_cases.dropna(subset=["index"])
        cells = pd.DataFrame(
            {
                "row": cases["index"].astype("int64"),
                "column": cases["column"].astype("object"),
                "rule": cases["check"].astype("object").replace(_RULE_NAMES),
                "value": cases["failure_case"].astype("object"),
            }
        )
        cells = _drop_partial_keys(cells, schema)
        return SchemaFailures(cells.sort_values(["row", "column", "rule"], kind="stable", ignore_index=True), columns)
    return SchemaFailures(pd.DataFrame({"row": pd.Series(dtype="int64"), "column": [], "rule": [], "value": []}), ())


def _has_no_row_index(cases: object) -> bool:
    return not isinstance(cases, pd.DataFrame) or bool(cases["index"].isna().all())


def _failure_reason(error: SchemaError) -> str | None:
    from pandera.errors import SchemaErrorReason

    if error.reason_code is not SchemaErrorReason.CHECK_ERROR:
        return None
    return str(error).removeprefix("Error while executing check function: ").splitlines()[0]


def _drop_partial_keys(cells: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Return `cells` without the keys that have a missing part; Pandera lists their other parts."""
    is_key = cells["rule"] == "unique_together"
    n_parts = cells["row"].where(is_key).map(cells.loc[is_key, "row"].value_counts())
    return cells[~is_key | (n_parts == len(schema.unique or ()))]


def list_failures(frame: pd.DataFrame, schema: Schema, *, with_target: bool = True) -> list[CellFailure]:
    """Return every cell of `frame` (its index is ignored) that breaks a rule, by row, column and rule.

    Failures of whole columns come first and refer to row 0. Values of private columns are not shown.
    """
    failures, notes = find_failures(frame, schema, with_target=with_target), schema.private_notes
    of_columns = [
        CellFailure(0, failure.column, failure.rule, _reason_to_show(failure, notes)) for failure in failures.columns
    ]
    return of_columns + [
        CellFailure(int(row), str(column), str(rule), None if pd.isna(value) else notes.get(str(column), str(value)))
        for row, column, rule, value in failures.cells.itertuples(index=False)
    ]


def _reason_to_show(failure: ColumnFailure, notes: Mapping[str, str]) -> str:
    return "the column as a whole" if failure.reason is None else notes.get(failure.column, failure.reason)
