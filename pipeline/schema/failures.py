"""List the cells of a frame that break the declared rules, as Pandera finds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
from pandera.errors import SchemaErrors

from pipeline.schema.checks import pandera_schema

if TYPE_CHECKING:
    from pipeline.schema.declaration import Schema

__all__ = ["Failure", "failures"]


@dataclass(frozen=True, slots=True)
class Failure:
    """One cell: the row (from 0) and column where it stands, the rule that it breaks, None where it is missing."""

    row: int
    column: str
    rule: str
    value: str | None


def failures(frame: pd.DataFrame, schema: Schema, *, with_target: bool = True) -> list[Failure]:
    """Return every cell of `frame` (its index is ignored) that breaks a rule, by row, column and rule."""
    try:
        pandera_schema(schema, with_target=with_target).validate(frame.reset_index(drop=True), lazy=True)
    except SchemaErrors as error:
        cases = error.failure_cases
        found = [
            Failure(int(index), str(column), str(check), None if pd.isna(value) else str(value))
            for index, column, check, value in zip(
                cases["index"], cases["column"], cases["check"], cases["failure_case"], strict=True
            )
            if pd.notna(index)
        ]
        return sorted(found, key=lambda failure: (failure.row, failure.column, failure.rule))
    return []
