"""Hold rows against the declared rules: by Pandera itself where they are few, by a compiled plan where they are many."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from pipeline.schema import Column
from pipeline.schema.failures import failing_cells
from pipeline.validation.findings import clipped
from pipeline.validation.hashing import repeated, row_hashes
from pipeline.validation.plan import CompiledRule, compile_rules
from pipeline.validation.table import is_missing

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.schema import Schema
    from pipeline.validation.table import Rows

__all__ = ["Failing", "RuleFailures", "find_failing"]


@dataclass(slots=True)
class RuleFailures:
    """Rows that break one rule of one column: all counted, the first ones shown."""

    column: str
    rule: str
    n_failed: int = 0
    rows: list[int] = field(default_factory=list)
    values: list[str | None] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Failing:
    """What breaks the declaration.

    Attributes
    ----------
    rules : tuple of RuleFailures
        Only those with failures, by column and rule.
    bad : bool, shape (n_rows,)
        Rows that break at least one rule.
    """

    rules: tuple[RuleFailures, ...]
    bad: NDArray[np.bool_]


def find_failing(rows: Rows, schema: Schema, *, max_examples: int, plain_rows: int) -> Failing:
    """Return what breaks the declared rules.

    Up to `plain_rows` rows Pandera checks a frame in memory. Beyond, the same rules run compiled over
    batches; a check that has no compiled form (a custom one) is asked of Pandera for its column alone.
    The counts are equal on both ways, and failures cost the same whether there are ten or ten million.
    """
    if rows.n_rows <= plain_rows:
        return _by_pandera(rows.frame(), schema, rows.n_rows, max_examples, with_target=True)
    return _by_plan(rows, schema, max_examples)


def _by_pandera(frame: pd.DataFrame, schema: Schema, n_rows: int, max_examples: int, *, with_target: bool) -> Failing:
    cells = failing_cells(frame, schema, with_target=with_target)
    bad = np.zeros(n_rows, dtype=bool)
    bad[cells["row"].to_numpy(dtype=np.int64)] = True
    together = ", ".join(schema.unique or ())
    found = []
    for (column, rule), part in cells.groupby(["column", "rule"], sort=False):
        if rule == "unique_together" and column != (schema.unique or ("",))[0]:
            continue
        label = together if rule == "unique_together" else str(column)
        shown = part.head(max_examples)
        values = [_word(value) for value in shown["value"]]
        found.append(RuleFailures(label, str(rule), len(part), shown["row"].tolist(), values))
    return Failing(_in_order(found), bad)


def _word(value: object) -> str | None:
    import pandas as pd

    return None if value is None or pd.isna(value) else clipped(str(value))  # type: ignore[call-overload]


def _in_order(found: list[RuleFailures]) -> tuple[RuleFailures, ...]:
    return tuple(sorted(found, key=lambda one: (one.column, one.rule)))


def _by_plan(rows: Rows, schema: Schema, max_examples: int) -> Failing:
    plan, left = _compiled(rows, schema)
    bad = np.zeros(rows.n_rows, dtype=bool)
    found: dict[tuple[str, str], RuleFailures] = {}
    unique = _unique_rules(rows, schema)
    hashes = {label: np.empty(rows.n_rows, dtype=np.uint64) for label, _, _ in unique}
    whole = {label: np.ones(rows.n_rows, dtype=bool) for label, _, _ in unique}
    start = 0
    for batch in rows.batches():
        stop = start + len(batch)
        for rule in plan:
            array = batch.column(rule.column)
            broken = rule.breaks(array)
            if broken is not None:
                bad[start:stop] |= broken
                _note(found, rule.column, rule.name, broken, start, array, max_examples)
        for label, columns, _ in unique:
            hashes[label][start:stop] = row_hashes(batch, columns)
            for column in columns:
                whole[label][start:stop] &= ~is_missing(batch.column(column))
        start = stop
    for label, _, name in unique:
        broken = repeated(hashes.pop(label)) & whole.pop(label)
        bad |= broken
        if broken.any():
            _note(found, label, name, broken, 0, None, max_examples)
    for part in left:
        found |= _asked_of_pandera(rows, part, bad, max_examples)
    return Failing(_in_order([one for one in found.values() if one.n_failed]), bad)


def _compiled(rows: Rows, schema: Schema) -> tuple[list[CompiledRule], list[Column]]:
    target = schema.target
    words = Column(target.column, "category", "category", checks={"isin": list(target.classes)})
    plan: list[CompiledRule] = []
    left: list[Column] = []
    for column in (*schema.columns, words):
        if column.name not in rows.kinds:
            continue
        rules, without_form = compile_rules(column)
        plan += rules
        if without_form:
            left.append(_only_checks(column, without_form))
    return plan, left


def _only_checks(column: Column, names: list[str]) -> Column:
    checks = {name: column.checks[name] for name in names}
    return Column(column.name, column.kind, column.dtype, nullable=True, checks=checks)


def _unique_rules(rows: Rows, schema: Schema) -> list[tuple[str, tuple[str, ...], str]]:
    """Return (label, columns, rule) of everything that must not occur twice; a key with a missing part may."""
    found: list[tuple[str, tuple[str, ...], str]] = [
        (one.name, (one.name,), "unique") for one in schema.columns if one.unique and one.name in rows.kinds
    ]
    if schema.unique is not None and all(name in rows.kinds for name in schema.unique):
        found.append((", ".join(schema.unique), schema.unique, "unique_together"))
    return found


def _note(
    found: dict[tuple[str, str], RuleFailures],
    column: str,
    rule: str,
    broken: NDArray[np.bool_],
    start: int,
    array: pa.Array | None,
    max_examples: int,
) -> None:
    one = found.setdefault((column, rule), RuleFailures(column, rule))
    one.n_failed += int(np.count_nonzero(broken))
    wanted = max_examples - len(one.rows)
    if wanted > 0:
        positions = np.flatnonzero(broken)[:wanted]
        one.rows += (positions + start).tolist()
        values = [None] * len(positions) if array is None else array.take(pa.array(positions)).to_pylist()
        one.values += [None if value is None else clipped(str(value)) for value in values]


def _asked_of_pandera(
    rows: Rows, column: Column, bad: NDArray[np.bool_], max_examples: int
) -> dict[tuple[str, str], RuleFailures]:
    from pipeline.schema import Schema, Target

    alone = Schema("column", (column,), Target("target", ("a", "b"), "a"))
    result = _by_pandera(rows.frame([column.name]), alone, rows.n_rows, max_examples, with_target=False)
    bad |= result.bad
    return {(one.column, one.rule): one for one in result.rules}
