"""Turn rows of the prediction log into columns, and into the bins of the package that gave them."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import DataError
from pipeline.monitoring.columns import LogColumns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pipeline.package import Bins, Package, Reference
    from pipeline.schema import Column
    from pipeline.state import LoggedRow

    Ints = NDArray[np.int64]

__all__ = ["LogBatch", "loggable_reference"]

_JSON_BLOCK_BYTES = 1 << 24


def loggable_reference(package: Package) -> Reference:
    """Return the package's reference as far as the log can be compared with it.

    A column that the log keeps as bins has no grid here; one that it hashes or drops is left out.
    """
    kept = []
    for bins in package.reference.columns:
        policy = package.schema.column(bins.name).store
        if policy in ("full", "bin"):
            kept.append(bins if policy == "full" else replace(bins, grid=None))
    return replace(package.reference, columns=tuple(kept))


@dataclass(frozen=True, slots=True)
class LogBatch:
    """Rows of the log that one package gave, as columns."""

    columns: LogColumns
    package: Package

    @classmethod
    def from_rows(cls, rows: Sequence[LoggedRow], package: Package) -> LogBatch:
        """Return rows that were read one by one."""
        return cls(LogColumns.from_rows(rows), package)

    def probabilities(self) -> NDArray[np.float64]:
        """Return the logged probabilities in the order of the package's classes, shape (n_rows, n_classes)."""
        return self._distinct_probabilities()[self.columns.probabilities.indices]

    def score_codes(self, bins: Bins) -> Ints:
        """Return the position in `bins.finest` of the probability of the positive class, of the likeliest of more than two."""
        target, said = self.package.schema.target, self._distinct_probabilities()
        scores = said.max(axis=1) if target.positive is None else said[:, target.classes.index(target.positive)]
        return bins.finest.codes(scores)[self.columns.probabilities.indices]

    def _distinct_probabilities(self) -> NDArray[np.float64]:
        """Return what each of the different texts says."""
        import pyarrow as pa

        names, texts = self.package.classes, self.columns.probabilities.dictionary
        table = _parse_json_table(texts, {name: pa.float64() for name in names})
        if table is not None:
            found = np.column_stack([np.nan_to_num(table[name].to_numpy()) for name in names])
        else:
            said = [json.loads(text or "{}") for text in texts]
            found = np.array([[float(one.get(name, 0.0)) for name in names] for one in said], dtype=np.float64)
        return np.asarray(found, dtype=np.float64).reshape(len(texts), len(names))

    def feature_codes(self, reference: Reference) -> dict[str, Ints]:
        """Return the position in `Bins.finest` of each row, by column; -1 where a value has another kind.

        `reference` is that of `logged_reference`.
        """
        wanted = {bins.name: bins for bins in reference.columns}
        columns = [one for one in self.package.schema.features if one.name in wanted]
        texts = self.columns.features
        table = _parse_json_table(texts.dictionary, {one.name: _arrow_type(one) for one in columns})
        if table is not None:
            found = {one.name: _column_codes(wanted[one.name], one, table[one.name]) for one in columns}
        else:
            said = [json.loads(text or "{}") for text in texts.dictionary]
            found = {
                one.name: _column_codes_by_value(wanted[one.name], one, [row.get(one.name) for row in said])
                for one in columns
            }
        return {name: codes[texts.indices] for name, codes in found.items()}

    def feature_values(self) -> dict[str, Any]:
        """Return what the log kept of each feature, ready to be counted."""
        import pandas as pd

        from pipeline.schema import DTYPES

        texts = self.columns.features
        parsed = [json.loads(text or "{}") for text in texts.dictionary]
        said = [parsed[at] for at in texts.indices.tolist()]
        columns: dict[str, Any] = {}
        for column in self.package.schema.features:
            if column.store not in ("full", "bin") or column.kind == "text":
                continue
            values = [one.get(column.name) for one in said]
            if column.store == "bin":
                columns[column.name] = values
                continue
            dtype = "string" if column.kind == "category" else DTYPES[column.kind]
            columns[column.name] = pd.Series(values, dtype="object" if column.kind == "datetime" else dtype)
            if column.kind == "datetime":
                columns[column.name] = pd.to_datetime(columns[column.name])
        return columns


def _parse_json_table(texts: Sequence[str | None], fields: dict[str, Any]) -> Any:
    """Return JSON objects as a table of these fields, read by columns; None where a value has another kind."""
    import pyarrow as pa
    from pyarrow import json as reader

    if not texts or not fields:
        return None
    source = io.BytesIO("\n".join(text or "{}" for text in texts).encode())
    options = reader.ParseOptions(
        explicit_schema=pa.schema(list(fields.items())), newlines_in_values=False, unexpected_field_behavior="ignore"
    )
    try:
        table = reader.read_json(source, reader.ReadOptions(use_threads=False, block_size=_JSON_BLOCK_BYTES), options)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    return table if table.num_rows == len(texts) else None


def _arrow_type(column: Column) -> Any:
    import pyarrow as pa

    if column.store == "bin":
        return pa.struct([("bin", pa.int64())])
    if column.kind in ("category", "datetime"):
        return pa.string()
    return pa.bool_() if column.kind == "boolean" else pa.float64()


def _column_codes(bins: Bins, column: Column, values: Any) -> Ints:
    from pyarrow import compute

    values = values.combine_chunks()
    if column.store == "bin":
        codes = compute.struct_field(values, "bin").to_numpy(zero_copy_only=False)
        return _valid_codes(np.where(np.isnan(codes.astype(np.float64)), bins.n_bins - 1, codes), bins.n_bins)
    if column.kind == "datetime":
        return _column_codes_by_value(bins, column, values.to_pylist())
    if column.kind in ("category", "boolean"):
        encoded = values.dictionary_encode()
        found = encoded.dictionary.to_pylist()
        positions = encoded.indices.fill_null(len(found)).to_numpy(zero_copy_only=False)
        by_position: Ints = bins.finest.codes([*found, None])
        return by_position[np.asarray(positions, dtype=np.int64)]
    return bins.finest.codes(values.to_numpy(zero_copy_only=False))


def _column_codes_by_value(bins: Bins, column: Column, values: list[Any]) -> Ints:
    """Return codes value by value; those of another kind count nowhere."""
    import pandas as pd

    codes = np.full(len(values), -1, dtype=np.int64)
    last = bins.n_bins - 1
    for at, value in enumerate(values):
        try:
            if column.store == "bin":
                codes[at] = value["bin"] if isinstance(value, dict) and "bin" in value else last
            elif column.kind == "datetime":
                codes[at] = bins.finest.codes(pd.to_datetime(pd.Series([value])))[0]
            elif not isinstance(value, dict):
                codes[at] = bins.finest.codes([value])[0]
        except (DataError, ValueError, TypeError):
            continue
    return _valid_codes(codes, bins.finest.n_bins)


def _valid_codes(codes: Any, n: int) -> Ints:
    whole = np.asarray(codes).astype(np.int64)
    return np.where(whole < n, whole, -1)
