"""Read rows of the prediction log as columns, and count them in the bins of the package that made them.

Equal texts are stored and parsed once.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import DataError, IntegrityError
from pipeline.state import CONFIDENCE_SCALE, TEXT_SEPARATOR

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from pipeline.package import Bins, Package, Reference
    from pipeline.schema import Column
    from pipeline.state import LoggedRow, OutcomeChunk, RowChunk

    Ints = NDArray[np.int64]

__all__ = ["DictionaryColumn", "LogBatch", "LogColumns", "loggable_reference"]

_JSON_BLOCK_BYTES = 1 << 24


def loggable_reference(package: Package) -> Reference:
    """Return the package's reference, limited to the columns that the log stores.

    A column that the log stores as bins has no grid here; a hashed or dropped column is left out.
    """
    columns = []
    for bins in package.reference.columns:
        policy = package.schema.column(bins.name).store
        if policy in ("full", "bin"):
            columns.append(bins if policy == "full" else replace(bins, grid=None))
    return replace(package.reference, columns=tuple(columns))


@dataclass(frozen=True, slots=True)
class DictionaryColumn:
    """The texts of rows as a dictionary of distinct texts and the position of each row's text in it."""

    dictionary: tuple[str | None, ...]
    indices: Ints

    @classmethod
    def encode(cls, texts: Iterable[str | None]) -> DictionaryColumn:
        """Return the column of some texts, None for a row without text."""
        positions: dict[str | None, int] = {}
        indices = [positions.setdefault(text, len(positions)) for text in texts]
        return cls(tuple(positions), np.array(indices, dtype=np.int64))

    @classmethod
    def from_joined_text(cls, text: str, n: int) -> DictionaryColumn:
        """Return the column of `n` texts that are joined by `TEXT_SEPARATOR`.

        Raises
        ------
        IntegrityError
            When the number differs because a text contains the separator.
        """
        import pyarrow as pa
        from pyarrow import compute

        encoded = compute.split_pattern(pa.array([text]), TEXT_SEPARATOR).flatten().dictionary_encode()
        if len(encoded) != n:
            raise IntegrityError(
                f"predictions: {len(encoded)} texts for {n} rows,"
                " because a class or a value contains the character U+001E; rename the class and train again"
            )
        return cls(tuple(encoded.dictionary.to_pylist()), encoded.indices.to_numpy().astype(np.int64))

    def codes_among(self, values: Sequence[str]) -> Ints:
        """Return the position of each row's text among `values`, -1 when it is not one of them."""
        positions: dict[str | None, int] = {value: code for code, value in enumerate(values)}
        codes = np.array([positions.get(text, -1) for text in self.dictionary], dtype=np.int64)
        return codes[self.indices]


@dataclass(frozen=True, slots=True)
class LogColumns:
    """Logged predictions by column; the outcome is None until it arrives."""

    predicted_at: Ints
    features: DictionaryColumn
    prediction: DictionaryColumn
    probabilities: DictionaryColumn
    confidence: NDArray[np.float64]
    latency_us: Ints
    outcome: DictionaryColumn

    @classmethod
    def from_rows(cls, rows: Sequence[LoggedRow]) -> LogColumns:
        """Return the columns of rows."""
        return cls(
            np.array([row.predicted_at for row in rows], dtype=np.int64),
            DictionaryColumn.encode(row.features for row in rows),
            DictionaryColumn.encode(row.prediction for row in rows),
            DictionaryColumn.encode(row.probabilities for row in rows),
            np.array([row.confidence for row in rows], dtype=np.float64),
            np.array([row.latency_us for row in rows], dtype=np.int64),
            DictionaryColumn.encode(row.outcome for row in rows),
        )

    @classmethod
    def from_chunk(cls, rows: RowChunk, outcomes: OutcomeChunk | None) -> LogColumns:
        """Return the columns of rows that were read as joined texts; the last of several outcomes counts."""
        seq, predicted_at, latency_us, confidence = map(_parse_integers, rows.numeric_texts)
        features, prediction, probabilities = (
            DictionaryColumn.from_joined_text(text, rows.n_rows)
            for text in (rows.features, rows.prediction, rows.probabilities)
        )
        return cls(
            predicted_at=predicted_at,
            features=features,
            prediction=prediction,
            probabilities=probabilities,
            confidence=confidence / CONFIDENCE_SCALE,
            latency_us=latency_us,
            outcome=_latest_outcomes(seq, outcomes),
        )


@dataclass(frozen=True, slots=True)
class LogBatch:
    """Rows of the log that one package predicted."""

    columns: LogColumns
    package: Package

    @classmethod
    def from_rows(cls, rows: Sequence[LoggedRow], package: Package) -> LogBatch:
        """Return the batch of rows that were read one by one."""
        return cls(LogColumns.from_rows(rows), package)

    def probabilities(self) -> NDArray[np.float64]:
        """Return the logged probabilities in the order of the package's classes, shape (n_rows, n_classes)."""
        return self._distinct_probabilities()[self.columns.probabilities.indices]

    def score_codes(self, bins: Bins) -> Ints:
        """Return the position of each score in `bins.finest`.

        The score is the probability of the positive class, of the most probable class when there are more than two.
        """
        target, values = self.package.schema.target, self._distinct_probabilities()
        scores = values.max(axis=1) if target.positive is None else values[:, target.classes.index(target.positive)]
        return bins.finest.codes(scores)[self.columns.probabilities.indices]

    def _distinct_probabilities(self) -> NDArray[np.float64]:
        """Return the probabilities of each distinct text."""
        import pyarrow as pa

        names, texts = self.package.classes, self.columns.probabilities.dictionary
        table = _parse_json_table(texts, {name: pa.float64() for name in names})
        if table is not None:
            values = np.column_stack([np.nan_to_num(table[name].to_numpy()) for name in names])
        else:
            rows = [json.loads(text or "{}") for text in texts]
            values = np.array([[float(row.get(name, 0.0)) for name in names] for row in rows], dtype=np.float64)
        return np.asarray(values, dtype=np.float64).reshape(len(texts), len(names))

    def feature_codes(self, reference: Reference) -> dict[str, Ints]:
        """Return the position of each row in `Bins.finest`, by the name of the bins; -1 for a value of another kind.

        `reference` comes from `loggable_reference`.
        """
        counted = [(bins, self.package.schema.column(bins.column)) for bins in reference.monitored]
        texts = self.columns.features
        table = _parse_json_table(texts.dictionary, {column.name: _arrow_type(column) for _, column in counted})
        codes: dict[str, Ints] = {}
        if table is not None:
            for bins, column in counted:
                codes[bins.name] = _column_codes(bins, column, table[column.name])
        else:
            rows = [json.loads(text or "{}") for text in texts.dictionary]
            for bins, column in counted:
                values = [row.get(column.name) for row in rows]
                codes[bins.name] = _column_codes_by_value(bins, column, values)
        return {name: column_codes[texts.indices] for name, column_codes in codes.items()}

    def feature_values(self) -> dict[str, Any]:
        """Return the logged values of each feature, in the types that `count_frame` takes."""
        import pandas as pd

        from pipeline.schema import DTYPES

        texts = self.columns.features
        parsed = [json.loads(text or "{}") for text in texts.dictionary]
        rows = [parsed[i] for i in texts.indices.tolist()]
        columns: dict[str, Any] = {}
        for column in self.package.schema.features:
            if column.store not in ("full", "bin"):
                continue
            values = [row.get(column.name) for row in rows]
            if column.store == "bin":
                columns[column.name] = values
                continue
            dtype = "string" if column.kind in ("category", "text") else DTYPES[column.kind]
            columns[column.name] = pd.Series(values, dtype="object" if column.kind == "datetime" else dtype)
            if column.kind == "datetime":
                columns[column.name] = pd.to_datetime(columns[column.name])
        return columns


def _parse_json_table(texts: Sequence[str | None], fields: dict[str, Any]) -> Any:
    """Return JSON objects as an Arrow table of these fields, None when a value has another type."""
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
    if column.kind in ("category", "datetime", "text"):
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
    if column.kind in ("category", "boolean", "text"):
        encoded = values.dictionary_encode()
        distinct = encoded.dictionary.to_pylist()
        positions = encoded.indices.fill_null(len(distinct)).to_numpy(zero_copy_only=False)
        by_position: Ints = bins.finest.codes([*distinct, None])
        return by_position[np.asarray(positions, dtype=np.int64)]
    return bins.finest.codes(values.to_numpy(zero_copy_only=False))


def _column_codes_by_value(bins: Bins, column: Column, values: list[Any]) -> Ints:
    """Return codes value by value, -1 for a value of another kind."""
    import pandas as pd

    codes = np.full(len(values), -1, dtype=np.int64)
    last = bins.n_bins - 1
    for i, value in enumerate(values):
        try:
            if column.store == "bin":
                codes[i] = value["bin"] if isinstance(value, dict) and "bin" in value else last
            elif column.kind == "datetime":
                codes[i] = bins.finest.codes(pd.to_datetime(pd.Series([value])))[0]
            elif not isinstance(value, dict):
                codes[i] = bins.finest.codes([value])[0]
        except (DataError, ValueError, TypeError):
            continue
    return _valid_codes(codes, bins.finest.n_bins)


def _valid_codes(codes: Any, n: int) -> Ints:
    whole = np.asarray(codes).astype(np.int64)
    return np.where(whole < n, whole, -1)


def _latest_outcomes(seq: Ints, outcomes: OutcomeChunk | None) -> DictionaryColumn:
    """Return the last outcome of each prediction."""
    indices = np.zeros(len(seq), dtype=np.int64)
    if outcomes is None or not outcomes.sequence_text:
        return DictionaryColumn((None,), indices)
    prediction_seq = _parse_integers(outcomes.sequence_text)
    labels = DictionaryColumn.from_joined_text(outcomes.outcomes, len(prediction_seq))
    order = np.argsort(seq)
    places = np.minimum(np.searchsorted(seq, prediction_seq, sorter=order), len(seq) - 1)
    rows = order[places]
    is_here = seq[rows] == prediction_seq  # the others belong to rows of another chunk
    indices[rows[is_here]] = labels.indices[is_here] + 1
    return DictionaryColumn((None, *labels.dictionary), indices)


def _parse_integers(text: str) -> Ints:
    """Return the integers of a joined text."""
    return np.fromstring(text, dtype=np.int64, sep=TEXT_SEPARATOR)
