"""Open the rows of a part for validation, with the columns that all parts can read."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.config.groups.data_config import DataConfig
from pipeline.config.groups.validation_config import ValidationConfig
from pipeline.data.csv_check import list_problems
from pipeline.data.csv_reader import parse_csv
from pipeline.parts import unchanged_source
from pipeline.schema import Schema
from pipeline.validation.arrow_rows import ArrowRows, ParquetRows, open_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from pipeline.data.input_problems import InputProblem
    from pipeline.parts import Part, PartPlan
    from pipeline.schema import Target
    from pipeline.storage import StoragePath

__all__ = ["CheckSettings", "OpenedRows", "labeled_batches", "open_part_rows"]


@dataclass(frozen=True)
class CheckSettings:
    """The settings of a plan.

    Attributes
    ----------
    data : DataConfig
    validation : ValidationConfig
    schema : Schema
    unreadable : dict
        Why a declared column cannot be read in at least one part, by its name.
    undeclared : tuple of str
    labeled : tuple of int or None
        Rows of each part with a declared class, where the others are set aside.
    not_checked : tuple of str
        What needs all rows at once.
    """

    data: DataConfig
    validation: ValidationConfig
    schema: Schema
    unreadable: dict[str, str]
    undeclared: tuple[str, ...]
    labeled: tuple[int, ...] | None
    not_checked: tuple[str, ...]

    @classmethod
    def from_plan(cls, plan: PartPlan) -> CheckSettings:
        """Return the settings that `plan_validation` stored."""
        values = plan.settings
        data = DataConfig.model_validate_json(json.dumps(values["data"]))
        return cls(
            data,
            ValidationConfig.model_validate_json(json.dumps(values["validation"])),
            Schema.from_config(data),
            dict(values["unreadable"]),
            tuple(values["undeclared"]),
            None if values["labeled"] is None else tuple(values["labeled"]),
            tuple(values["not_checked"]),
        )

    @property
    def kinds(self) -> dict[str, Any]:
        """Kind of each column that every part can read, the target last."""
        kinds: dict[str, Any] = {column.name: column.kind for column in self.schema.columns}
        kinds[self.schema.target.column] = "category"
        return {name: kind for name, kind in kinds.items() if name not in self.unreadable}

    def n_total(self, plan: PartPlan) -> int:
        """Return the rows of the report."""
        return plan.n_rows if self.labeled is None else sum(self.labeled)

    def n_rows(self, part: Part) -> int:
        """Return the rows of a part in the report."""
        return part.n_rows if self.labeled is None else self.labeled[part.number]

    def first_row(self, part: Part) -> int:
        """Return the number of the first row of a part in the report."""
        return part.first_row if self.labeled is None else sum(self.labeled[: part.number])


@dataclass(frozen=True)
class OpenedRows:
    """The rows of a part, and the problems of the lines of a CSV file; no rows where lines cannot be read."""

    rows: ArrowRows | None
    problems: tuple[InputProblem, ...] = ()


@contextmanager
def open_part_rows(plan: PartPlan, part: Part, data: DataConfig) -> Iterator[OpenedRows]:
    """Yield the rows of a part.

    Raises
    ------
    DataError
        When the file is gone, or is another one than was planned.
    """
    schema = Schema.from_config(data)
    with unchanged_source(plan.source_of(part)) as path:
        if path.suffix == ".parquet":
            source = ParquetRows(path.local if path.is_local else path, range(part.first_group, part.end_group))
            yield OpenedRows(open_rows(source, schema))
        else:
            yield _open_csv(path, schema, data)


def _open_csv(path: StoragePath, schema: Schema, data: DataConfig) -> OpenedRows:
    with path.local_copy() as local:
        parsed = parse_csv(local, schema, data.csv_dialect)
        problems = tuple(replace(problem, path=str(path)) for problem in list_problems(local, parsed, schema))
    return OpenedRows(None if parsed.problems else open_rows(parsed.frame, schema), problems)


def labeled_batches(
    rows: ArrowRows, target: Target, kinds: Mapping[str, Any] | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield batches of the columns `kinds`; where the target sets rows aside, of those with a declared class."""
    readable = rows if kinds is None else replace(rows, kinds=dict(kinds))
    for batch in readable.batches():
        if target.unlabeled == "refuse":
            yield batch
            continue
        labels = batch.column(target.column)
        is_class = np.array([*(word in target.classes for word in labels.dictionary.to_pylist()), False])
        yield batch.filter(_to_arrow(is_class[np.asarray(labels.indices.fill_null(len(is_class) - 1))]))


def _to_arrow(mask: Any) -> pa.Array:
    import pyarrow as pa

    return pa.array(mask)
