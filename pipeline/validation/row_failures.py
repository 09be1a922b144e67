"""Find the rows that break declared rules: with Pandera where rows are few, with Arrow where they are many."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from pipeline.schema import Column
from pipeline.schema.failures import ColumnFailure, find_failures
from pipeline.validation.arrow_rows import is_missing
from pipeline.validation.findings import shorten_text
from pipeline.validation.row_hash import duplicate_mask, row_hashes

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.schema import Schema
    from pipeline.validation.arrow_rows import ArrowRows

__all__ = ["RowFailures", "RuleFailures", "find_row_failures"]


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
    failed_mask : bool, shape (n_rows,)
        Rows that break at least one rule.
    columns : tuple of ColumnFailure
        Columns that break a rule as a whole, or for which it could not run.
    """

    rules: tuple[RuleFailures, ...]
    failed_mask: NDArray[np.bool_]
    columns: tuple[ColumnFailure, ...] = ()


def find_row_failures(rows: ArrowRows, schema: Schema, *, max_examples: int, pandera_max_rows: int) -> RowFailures:
    """Return the rows that break declared rules.

    Up to `pandera_max_rows` rows Pandera checks a frame in memory. Beyond, the same rules run over Arrow
    batches; Pandera runs a check without an Arrow form (a custom one) on its column alone. Both ways give
    equal counts, and the cost does not depend on the number of failures. Values of private columns are left out.
    """
    if rows.n_rows <= pandera_max_rows:
        failures = _check_with_pandera(rows.to_frame(), schema, rows.n_rows, max_examples, with_target=True)
    else:
        failures = _check_with_arrow(rows, schema, max_examples)
    return _without_private_values(failures, schema)


def _without_private_values(failures: RowFailures, schema: Schema) -> RowFailures:
    """Return failures without the values of private columns, and without reasons that may quote one."""
    notes = schema.private_notes
    if schema.unique is not None and not notes.keys().isdisjoint(schema.unique):
        notes[", ".join(schema.unique)] = "not shown"
    for rule in failures.rules:
        if rule.column in notes:
            note = notes[rule.column]
            rule.values = [None if value is None else note for value in rule.values]  # noqa: PD011 - a list
    columns = tuple(
        replace(failure, reason=notes[failure.column]) if failure.reason and failure.column in notes else failure
        for failure in failures.columns
    )
    return replace(failures, columns=columns)


def _check_with_pandera(
    frame: pd.DataFrame, schema: Schema, n_rows: int, max_examples: int, *, with_target: bool
) -> RowFailures:
    failures = find_failures(frame, schema, with_target=with_target)
    cells = failures.cells
    failed_mask = np.zeros(n_rows, dtype=bool)
    failed_mask[cells["row"].to_numpy(dtype=np.int64)] = True
    together = ", ".join(schema.unique or ())
    rules = []
    for (column, rule), group in cells.groupby(["column", "rule"], sort=False):
        if rule == "unique_together" and column != (schema.unique or ("",))[0]:
            continue
        label = together if rule == "unique_together" else str(column)
        examples = group.head(max_examples)
        values = [_display_value(value) for value in examples["value"]]
        rules.append(RuleFailures(label, str(rule), len(group), examples["row"].tolist(), values))
    return RowFailures(_sort_failures(rules), failed_mask, failures.columns)


def _display_value(value: object) -> str | None:
    import pandas as pd

    return None if value is None or pd.isna(value) else shorten_text(str(value))  # type: ignore[call-overload]


def _sort_failures(failures: list[RuleFailures]) -> tuple[RuleFailures, ...]:
    return tuple(sorted(failures, key=lambda rule: (rule.column, rule.rule)))


def _check_with_arrow(rows: ArrowRows, schema: Schema, max_examples: int) -> RowFailures:
    rules, pandera_columns = _split_rules(rows, schema)
    counter = _FailureCounter(rows.n_rows, max_examples)
    keys = [_UniqueKey(label, columns, rule, rows.n_rows) for label, columns, rule in _unique_rules(rows, schema)]
    start = 0
    for batch in rows.batches():
        for rule in rules:
            array = batch.column(rule.column)
            violations = rule.find_violations(array)
            if violations is not None:
                counter.add(rule.column, rule.name, violations, start=start, array=array)
        for key in keys:
            key.add(batch, start)
        start += len(batch)
    for key in keys:
        counter.add(key.label, key.rule, key.duplicate_mask())
    failures = counter.failures()
    return _join_failures(
        [failures, *(_check_column_with_pandera(rows, each, max_examples) for each in pandera_columns)]
    )


def _join_failures(parts: list[RowFailures]) -> RowFailures:
    rules = [failures for part in parts for failures in part.rules]
    columns = tuple(failure for part in parts for failure in part.columns)
    return RowFailures(_sort_failures(rules), np.logical_or.reduce([part.failed_mask for part in parts]), columns)


class _FailureCounter:
    """Rows that break a rule, counted batch by batch, with the first `max_examples` of each."""

    def __init__(self, n_rows: int, max_examples: int) -> None:
        self._max_examples = max_examples
        self._failed_mask = np.zeros(n_rows, dtype=bool)
        self._by_rule: dict[tuple[str, str], RuleFailures] = {}

    def add(
        self, column: str, rule: str, violations: NDArray[np.bool_], *, start: int = 0, array: pa.Array | None = None
    ) -> None:
        """Count the violations of a batch whose first row is `start`; `array` has the values to show."""
        self._failed_mask[start : start + len(violations)] |= violations
        failures = self._by_rule.setdefault((column, rule), RuleFailures(column, rule))
        failures.n_failed += int(np.count_nonzero(violations))
        n_missing_examples = self._max_examples - len(failures.rows)
        if n_missing_examples > 0:
            positions = np.flatnonzero(violations)[:n_missing_examples]
            failures.rows += (positions + start).tolist()
            values = [None] * len(positions) if array is None else array.take(pa.array(positions)).to_pylist()
            failures.values += [None if value is None else shorten_text(str(value)) for value in values]

    def failures(self) -> RowFailures:
        """Return all that was counted."""
        return RowFailures(tuple(each for each in self._by_rule.values() if each.n_failed), self._failed_mask)


class _UniqueKey:
    """Columns whose values together must not occur twice; a key with a missing part may."""

    def __init__(self, label: str, columns: tuple[str, ...], rule: str, n_rows: int) -> None:
        self.label, self.columns, self.rule = label, columns, rule
        self._hashes = np.empty(n_rows, dtype=np.uint64)
        self._is_complete = np.ones(n_rows, dtype=bool)

    def add(self, batch: pa.RecordBatch, start: int) -> None:
        batch_rows = slice(start, start + len(batch))
        self._hashes[batch_rows] = row_hashes(batch, self.columns)
        for column in self.columns:
            self._is_complete[batch_rows] &= ~is_missing(batch.column(column))

    def duplicate_mask(self) -> NDArray[np.bool_]:
        return duplicate_mask(self._hashes) & self._is_complete


@dataclass(frozen=True, slots=True)
class _ArrowRule:
    column: str
    name: str
    find_violations: Callable[[pa.Array], NDArray[np.bool_] | None]


def _split_rules(rows: ArrowRows, schema: Schema) -> tuple[list[_ArrowRule], list[Column]]:
    """Return the rules that have an Arrow form, and the columns with the checks that only Pandera has."""
    target = schema.target
    target_column = Column(target.column, "category", "category", checks={"isin": list(target.classes)})
    rules: list[_ArrowRule] = []
    pandera_columns: list[Column] = []
    for column in (*schema.columns, *([target_column] if target.unlabeled == "refuse" else [])):
        if column.name not in rows.kinds:
            continue
        if not column.nullable:
            rules.append(_ArrowRule(column.name, "missing", _missing_violations))
        constraints = column.constraints
        rules += [_ArrowRule(column.name, each.name, each.violations) for each in constraints if each.has_arrow_form]
        pandera_checks = {each.name: column.checks[each.name] for each in constraints if not each.has_arrow_form}
        if pandera_checks:
            pandera_columns.append(Column(column.name, column.kind, column.dtype, nullable=True, checks=pandera_checks))
    return rules, pandera_columns


def _missing_violations(array: pa.Array) -> NDArray[np.bool_] | None:
    return is_missing(array) if array.null_count else None


def _unique_rules(rows: ArrowRows, schema: Schema) -> list[tuple[str, tuple[str, ...], str]]:
    """Return (label, columns, rule) of each key that must not occur twice."""
    keys: list[tuple[str, tuple[str, ...], str]] = [
        (column.name, (column.name,), "unique")
        for column in schema.columns
        if column.unique and column.name in rows.kinds
    ]
    if schema.unique is not None and all(name in rows.kinds for name in schema.unique):
        keys.append((", ".join(schema.unique), schema.unique, "unique_together"))
    return keys


def _check_column_with_pandera(rows: ArrowRows, column: Column, max_examples: int) -> RowFailures:
    from pipeline.schema import Schema, Target

    column_schema = Schema("column", (column,), Target("target", ("a", "b"), "a"))
    return _check_with_pandera(
        rows.to_frame([column.name]), column_schema, rows.n_rows, max_examples, with_target=False
    )
