"""All counts of a table that add up from those of its parts, and their form as JSON values."""

from __future__ import annotations

import base64
from collections import Counter
from dataclasses import astuple
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.schema.failures import ColumnFailure
from pipeline.validation.dataset_stats import DatasetAccumulator
from pipeline.validation.failure_counter import FailureCounter
from pipeline.validation.row_bits import RowBits
from pipeline.validation.rule_failures import RuleFailures
from pipeline.validation.unseen_words import UnseenWordCounter

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa
    from numpy.typing import NDArray

    from pipeline.schema import ColumnKind, Schema
    from pipeline.validation.column_stats import ColumnAccumulator

__all__ = ["TableCounts"]


class TableCounts:
    """The counts of a table, or of one part of it; those of hashes are apart.

    Parameters
    ----------
    kinds : mapping
        Kind of each column that can be read in every part, in order.
    schema : Schema
    n_total : int
        Rows of the whole table.
    max_examples : int
        Rows listed for each rule.
    n_rows : int, optional
        Rows of the part; those of the table when None.
    first_row : int
        Number of the first of them in the whole table.
    """

    def __init__(
        self,
        kinds: Mapping[str, ColumnKind],
        schema: Schema,
        *,
        n_total: int,
        max_examples: int,
        n_rows: int | None = None,
        first_row: int = 0,
    ) -> None:
        self.stats = DatasetAccumulator(kinds, schema, n_total=n_total)
        self.unseen = UnseenWordCounter(kinds, schema)
        self.failures = FailureCounter(
            kinds,
            schema,
            max_examples=max_examples,
            n_rows=n_total if n_rows is None else n_rows,
            first_row=first_row,
        )

    def add(self, batch: pa.RecordBatch, start: int) -> None:
        """Count the rows of a batch; `start` is the number of its first row in the whole table."""
        self.stats.add(batch, start)
        self.unseen.add(batch)
        self.failures.add(batch, start)

    def merge(self, part: TableCounts) -> None:
        """Add the counts of a part; parts come in the order of their rows."""
        self.stats.merge(part.stats)
        self.unseen.merge(part.unseen)
        self.failures.merge(part.failures)

    def as_dict(self) -> dict[str, Any]:
        """Return the counts as JSON values."""
        failures = self.failures
        return {
            "classes": _encode(self.stats.class_counts),
            "n_incomplete": self.stats.n_incomplete,
            "columns": [_column_to_dict(column) for column in self.stats.columns],
            "unseen": {"totals": dict(self.unseen.totals), "counts": self.unseen.counts},
            "rules": [list(astuple(each)) for each in failures.by_rule.values()],
            "failed_rows": _encode(failures.failed_rows.packed),
            "value_checks": [
                {
                    "failures": list(astuple(check.failures)),
                    "failed_rows": _encode(check.failed_rows.packed),
                    "error": None if check.error is None else list(astuple(check.error)),
                }
                for check in failures.value_checks
            ],
        }

    def load(self, values: Mapping[str, Any]) -> None:
        """Take the counts that `as_dict` returned for the same part."""
        self.stats.class_counts = _decode(values["classes"])
        self.stats.n_incomplete = values["n_incomplete"]
        for column, of_column in zip(self.stats.columns, values["columns"], strict=True):
            _load_column(column, of_column)
        self.unseen.totals = Counter(values["unseen"]["totals"])
        self.unseen.counts = {
            name: None if counts is None else Counter(counts) for name, counts in values["unseen"]["counts"].items()
        }
        failures, n_rows = self.failures, self.failures.failed_rows.n_rows
        failures.by_rule = {(each[0], each[1]): RuleFailures(*each) for each in values["rules"]}
        failures.failed_rows = RowBits(n_rows, _decode(values["failed_rows"]))
        for check, of_check in zip(failures.value_checks, values["value_checks"], strict=True):
            check.failures = RuleFailures(*of_check["failures"])
            check.failed_rows = RowBits(n_rows, _decode(of_check["failed_rows"]))
            check.error = None if of_check["error"] is None else ColumnFailure(*of_check["error"])


def _column_to_dict(column: ColumnAccumulator) -> dict[str, Any]:
    by_value = column.counts_by_value
    return {
        "n_missing": column.n_missing,
        "rows_by_class": _encode(column.rows_by_class),
        "missing_by_class": _encode(column.missing_by_class),
        "values": None if by_value is None else [_value_to_json(value) for value in by_value],
        "value_counts": _encode(np.array(list((by_value or {}).values()), dtype=np.int64)),
        "sample": _encode(_join(column.samples, np.float64)),
        "sample_classes": _encode(_join(column.sample_classes, np.int64)),
        "low": column.low,
        "high": column.high,
    }


def _load_column(column: ColumnAccumulator, values: Mapping[str, Any]) -> None:
    column.n_missing, column.low, column.high = values["n_missing"], values["low"], values["high"]
    column.rows_by_class = _decode(values["rows_by_class"])
    column.missing_by_class = _decode(values["missing_by_class"])
    column.samples, column.sample_classes = [_decode(values["sample"])], [_decode(values["sample_classes"])]
    if values["values"] is None:
        column.counts_by_value = None
        return
    from_json = datetime.fromisoformat if column.kind == "datetime" else lambda value: value
    counts = _decode(values["value_counts"]).reshape(len(values["values"]), column.n_classes + 1)
    column.counts_by_value = dict(zip(map(from_json, values["values"]), counts, strict=True))


def _value_to_json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _join(arrays: list[NDArray[Any]], dtype: Any) -> NDArray[Any]:
    return np.concatenate(arrays) if arrays else np.empty(0, dtype=dtype)


def _encode(array: NDArray[Any]) -> dict[str, str]:
    plain = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return {"dtype": plain.dtype.str, "data": base64.b64encode(plain.tobytes()).decode()}


def _decode(value: Mapping[str, str]) -> NDArray[Any]:
    return np.frombuffer(base64.b64decode(value["data"]), dtype=np.dtype(value["dtype"])).copy()
