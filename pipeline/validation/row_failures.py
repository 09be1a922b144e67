"""Find the rows that break declared rules: with Pandera where rows are few, with Arrow where they are many."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.validation.failure_counter import FailureCounter, check_whole_columns
from pipeline.validation.hash_ranges import HashRanges, repeated_rows
from pipeline.validation.rule_failures import check_with_pandera
from pipeline.validation.unique_keys import unique_keys

if TYPE_CHECKING:
    from pipeline.schema import Schema
    from pipeline.validation.arrow_rows import ArrowRows
    from pipeline.validation.rule_failures import RowFailures

__all__ = ["find_row_failures", "without_private_values"]


def find_row_failures(rows: ArrowRows, schema: Schema, *, max_examples: int, pandera_max_rows: int) -> RowFailures:
    """Return the rows that break declared rules.

    Up to `pandera_max_rows` rows Pandera checks a frame in memory. Beyond, the same rules run over Arrow
    batches; Pandera runs a check without an Arrow form (a custom one) on its column alone. Both ways give
    equal counts, and the cost does not depend on the number of failures. Values of private columns are left out.
    """
    if rows.n_rows <= pandera_max_rows:
        failures = check_with_pandera(rows.to_frame(), schema, max_examples=max_examples)
    else:
        failures = _check_with_arrow(rows, schema, max_examples)
    return without_private_values(failures, schema)


def without_private_values(failures: RowFailures, schema: Schema) -> RowFailures:
    """Return failures without the values of private columns, and without reasons that may quote one."""
    notes = schema.private_notes
    if schema.unique is not None and not notes.keys().isdisjoint(schema.unique):
        notes[", ".join(schema.unique)] = "not shown"
    for rule in failures.rules:
        if rule.column in notes:
            note = notes[rule.column]
            rule.values = [None if value is None else note for value in rule.values]
    columns = tuple(
        replace(failure, reason=notes[failure.column]) if failure.reason and failure.column in notes else failure
        for failure in failures.columns
    )
    return replace(failures, columns=columns)


def _check_with_arrow(rows: ArrowRows, schema: Schema, max_examples: int) -> RowFailures:
    counter = FailureCounter(rows.kinds, schema, max_examples=max_examples, n_rows=rows.n_rows)
    keys = unique_keys(rows.kinds, schema)
    with ExitStack() as stack:
        hashes = [stack.enter_context(HashRanges(with_rows=True)) for _ in keys]
        start = 0
        for batch in rows.batches():
            counter.add(batch, start)
            for key, ranges in zip(keys, hashes, strict=True):
                ranges.add(*key.hash_rows(batch, start))
            start += len(batch)
        for key, ranges in zip(keys, hashes, strict=True):
            for some_hashes, some_rows in ranges.ranges():
                counter.add_repeated(key, repeated_rows(some_hashes, some_rows))
    return counter.to_failures(check_whole_columns(rows, schema, max_examples=max_examples))
