"""The rows that break declared rules, and how Pandera finds them in a frame."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pipeline.schema.failures import ColumnFailure, find_failures
from pipeline.validation.findings import shorten_text
from pipeline.validation.row_bits import RowBits

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from pipeline.schema import Schema

__all__ = ["RowFailures", "RuleFailures", "check_with_pandera", "sort_failures"]


@dataclass(slots=True)
class RuleFailures:
    """Rows that break one rule of one column: all are counted, the first are listed."""

    column: str
    rule: str
    n_failed: int = 0
    rows: list[int] = field(default_factory=list)
    values: list[str | None] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class RowFailures:
    """The rows that break the declaration.

    Attributes
    ----------
    rules : tuple of RuleFailures
        Only those with failures, by column and rule.
    failed_rows : RowBits
        Rows that break at least one rule.
    columns : tuple of ColumnFailure
        Columns that break a rule as a whole, or for which it could not run.
    """

    rules: tuple[RuleFailures, ...]
    failed_rows: RowBits
    columns: tuple[ColumnFailure, ...] = ()


def check_with_pandera(
    frame: pd.DataFrame, schema: Schema, *, max_examples: int, with_target: bool = True
) -> RowFailures:
    """Return the failures of a frame whose rows are numbered from 0; of each rule the first `max_examples` rows."""
    failures = find_failures(frame, schema, with_target=with_target)
    cells = failures.cells
    failed_rows = RowBits(len(frame))
    failed_rows.add_rows(cells["row"].to_numpy(dtype=np.int64))
    together = ", ".join(schema.unique or ())
    rules = []
    for (column, rule), group in cells.groupby(["column", "rule"], sort=False):
        if rule == "unique_together" and column != (schema.unique or ("",))[0]:
            continue
        label = together if rule == "unique_together" else str(column)
        examples = group.head(max_examples)
        values = [_display_value(value) for value in examples["value"]]
        rules.append(RuleFailures(label, str(rule), len(group), examples["row"].tolist(), values))
    return RowFailures(sort_failures(rules), failed_rows, failures.columns)


def _display_value(value: object) -> str | None:
    import pandas as pd

    return None if value is None or pd.isna(value) else shorten_text(str(value))  # type: ignore[call-overload]


def sort_failures(failures: Iterable[RuleFailures]) -> tuple[RuleFailures, ...]:
    """Return the failures of rules by column and rule."""
    return tuple(sorted(failures, key=lambda rule: (rule.column, rule.rule)))
