"""The prediction log and the reference of a version as flat tables with one typed column for each feature."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet as pq

from pipeline import files
from pipeline.data.cell_parsers import ARROW_TYPES
from pipeline.data.coercion import coerce_table
from pipeline.data.logged_features import logged_features
from pipeline.errors import DataError, UsageError
from pipeline.project import paths
from pipeline.schema import TextFormat
from pipeline.serving.files.prediction_table import predict_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pipeline.package import Package
    from pipeline.schema import Column

__all__ = ["FlatForm"]

_MOMENT = pa.timestamp("us", tz="UTC")
_LOG_COLUMNS = {
    "prediction_id": pa.string(),
    "predicted_at": _MOMENT,
    "version": pa.int32(),
    "source": pa.string(),
    "served_by": pa.string(),
    "variant": pa.string(),
    "weight": pa.float64(),
}
# 1 for the positive class, 0 for the other one: NannyML does not take words where there are two classes.
_POSITIVE_FLAGS = {"predicted_positive": "prediction", "outcome_positive": "outcome"}
_CHUNK_ROWS = 65_536
_ADVICE = "export the rows of one version with --version, or the log as it is without --flat"


@dataclass(frozen=True)
class FlatForm:
    """The columns of a version: those of the log, its features, its prediction by class, and the outcome.

    With two classes, two columns of 0 and 1 follow. A feature with `store: bin` is the number of its bin; one with
    `hash` or `drop` has no column.

    Raises
    ------
    UsageError
        When a feature has the name of another column.
    """

    package: Package
    version: int

    def __post_init__(self) -> None:
        """Refuse a name that two columns would have."""
        fixed = {*_LOG_COLUMNS, *self._output_types}
        taken = [column.name for column in self._features if column.name in fixed]
        if taken:
            raise UsageError(
                f"--flat: the features {', '.join(taken)} have names of other columns of this form; export without"
                " --flat, or rename them in conf/data"
            )

    @property
    def schema(self) -> pa.Schema:
        """Names and types of the columns, equal for the log and the reference."""
        features = {
            column.name: pa.int64() if column.store == "bin" else ARROW_TYPES[column.kind] for column in self._features
        }
        return pa.schema({**_LOG_COLUMNS, **features, **self._output_types})

    def log_table(self, rows: Sequence[Any], outcomes: Mapping[str, str]) -> pa.Table:
        """Return logged predictions, with the last outcome by identifier.

        Raises
        ------
        DataError
            When a row was logged by a version with other types or classes.
        """
        columns: dict[str, Any] = {name: [getattr(row, name) for row in rows] for name in _LOG_COLUMNS}
        records = [json.loads(row.features or "{}") for row in rows]
        full = [column for column in self._features if column.store == "full"]
        notes = self.package.schema.private_notes
        columns |= _columns_of(logged_features(records, full, private_notes=notes, advice=_ADVICE))
        for column in self._features:
            if column.store == "bin":
                columns[column.name] = [(record.get(column.name) or {}).get("bin") for record in records]
        columns["prediction"] = [row.prediction for row in rows]
        columns["confidence"] = [row.confidence for row in rows]
        columns |= self._probabilities(rows)
        columns["outcome"] = [outcomes.get(row.prediction_id) for row in rows]
        return self._to_table(columns)

    def reference_tables(self, root: Path) -> Iterator[pa.Table]:
        """Yield the test part of the version with the predictions of its package, which never learned from these rows.

        Raises
        ------
        DataError
            When the rows of the project are not those that the version was tested on.
        """
        path = root / paths.TEST_ROWS
        tested = self.package.lineage.get("data_sha256", {}).get("test")
        if not path.is_file() or files.sha256_file(path) != tested:
            raise DataError(
                f"{paths.TEST_ROWS}: are not the test rows of version {self.version}; check out the commit that"
                f" `mlops models show {self.version} --lineage` names, and run `dvc checkout` or `dvc pull`"
            )
        n_rows = 0
        for batch in pq.ParquetFile(path).iter_batches(_CHUNK_ROWS):
            yield self._reference_table(pa.Table.from_batches([batch]), n_before=n_rows)
            n_rows += batch.num_rows

    @property
    def _features(self) -> list[Column]:
        return [column for column in self.package.schema.features if column.store in ("full", "bin")]

    @property
    def _output_types(self) -> dict[str, pa.DataType]:
        probabilities = {f"probability_{name}": pa.float64() for name in self.package.classes}
        flags = {name: pa.int8() for name in _POSITIVE_FLAGS if self.package.schema.target.positive is not None}
        return {"prediction": pa.string(), "confidence": pa.float64(), **probabilities, "outcome": pa.string(), **flags}

    def _probabilities(self, rows: Sequence[Any]) -> dict[str, list[float | None]]:
        by_row = [json.loads(row.probabilities) for row in rows]
        known = set(self.package.classes)
        for row, probabilities in zip(rows, by_row, strict=True):
            if not known.issuperset(probabilities):
                raise DataError(
                    f"prediction log: version {row.version} has the classes {', '.join(probabilities)}, and version"
                    f" {self.version} has {', '.join(self.package.classes)}; {_ADVICE}"
                )
        return {
            f"probability_{name}": [probabilities.get(name) for probabilities in by_row]
            for name in self.package.classes
        }

    def _reference_table(self, rows: pa.Table, *, n_before: int) -> pa.Table:
        schema = self.package.schema
        typed = self._typed_features(rows)
        columns = _columns_of(predict_table(self.package, typed, chunk_rows=_CHUNK_ROWS))
        bins = {bins.name: bins for bins in self.package.reference.columns}
        for column in self._features:
            values = typed.column(column.name).combine_chunks()
            columns[column.name] = values if column.store == "full" else pa.array(bins[column.name].codes(values))
        time = next((column.name for column in schema.columns if column.role == "time"), None)
        columns |= {
            "prediction_id": [f"test-{n_before + number}" for number in range(1, rows.num_rows + 1)],
            "predicted_at": None if time is None else rows.column(time).cast(pa.timestamp("us")),
            "version": [self.version] * rows.num_rows,
            # Evidently refuses a reference with an empty column.
            **{name: ["reference"] * rows.num_rows for name in ("source", "served_by", "variant")},
            "weight": [1.0] * rows.num_rows,
            "outcome": rows.column(schema.target.column).cast(pa.string()),
        }
        return self._to_table(columns)

    def _typed_features(self, rows: pa.Table) -> pa.Table:
        formats = {column.name: TextFormat(column.kind) for column in self.package.schema.features}
        notes = self.package.schema.private_notes
        return coerce_table(rows.select(list(formats)), formats, where=str(paths.TEST_ROWS), private_notes=notes)

    def _to_table(self, columns: Mapping[str, Any]) -> pa.Table:
        """Return the columns in the order of the form, with its types; an absent one is null."""
        n_rows = len(columns["prediction"])
        arrays = {field.name: _to_type(columns.get(field.name), field.type, n_rows) for field in self.schema}
        positive = self.package.schema.target.positive
        for name, source in _POSITIVE_FLAGS.items() if positive is not None else ():
            arrays[name] = pc.equal(arrays[source], positive).cast(pa.int8())
        return pa.table(arrays, schema=self.schema)


def _columns_of(table: pa.Table) -> dict[str, Any]:
    return dict(zip(table.column_names, table.columns, strict=True))


def _to_type(values: Any, kind: pa.DataType, n_rows: int) -> Any:
    if values is None:
        return pa.nulls(n_rows, kind)
    return pa.array(values, kind) if isinstance(values, list) else values.cast(kind)
