"""Score parsed rows: probabilities, warnings, and the values for the prediction log.

Columns are encoded one by one, independently of each other. The encoded form of a value (its part of the matrix, its
bin, its logged form) is cached by column. A row gets the same bits alone, in a batch and from a file.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np

from pipeline.modeling.classifier import predicted_codes
from pipeline.serving.prediction_types import PredictionWarning
from pipeline.serving.rows.value_warnings import value_warning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pipeline.modeling.classifier import Threshold
    from pipeline.modeling.encoding import Encoder
    from pipeline.package import Bins, Package
    from pipeline.schema import Column

__all__ = ["RowScorer", "ScoredRow"]

_MAX_CACHED_VALUES = 20_000
_CACHEABLE_KINDS = frozenset({"integer", "category", "boolean"})
_NO_WARNINGS_JSON = '","warnings":[]'


class _EncodedValue(NamedTuple):
    """The forms of one value: its part of the matrix as bytes, its logged JSON, its warning."""

    encoded: bytes
    logged: str
    warning: PredictionWarning | None


class ScoredRow(NamedTuple):
    """The score of one row: its JSON around the prediction identifier without the last brace, and its logged values.

    `probabilities_json` holds the probabilities by class; `logged_features` the features in their logged form, as JSON.
    """

    json_prefix: str
    json_suffix: str
    logged_features: str
    label: str
    probabilities_json: str
    confidence: float
    probabilities: list[float]


class RowScorer:
    """Scores the rows of one package.

    Parameters
    ----------
    package : Package
    many_missing : float between 0 and 1
        Share of missing values from which a row gets a warning.
    hash_key : bytes
        Key of the hashes that replace values of columns with `store: hash`.
    cached_rows : int
        Number of scored rows in the cache, 0 for no cache. The cache belongs to this package alone.
    """

    def __init__(self, package: Package, *, many_missing: float, hash_key: bytes, cached_rows: int = 0) -> None:
        self.package = package
        self._has_group_thresholds = package.has_group_thresholds
        self._column_encoders = _build_column_encoders(package, hash_key)
        encoder = package.serving_classifier.encoder
        self._derived_encoder = encoder.only(encoder.derived.names) if encoder.derived.names else None
        n_derived = len(self._derived_encoder.feature_names_out_) if self._derived_encoder is not None else 0
        self._width = len(encoder.feature_names_out_) - n_derived
        self._many_missing_count = max(1, int(np.ceil(many_missing * len(self._column_encoders))))
        self._classes = package.classes
        self._labels = [json.dumps(name) for name in package.classes]
        members = ",".join(f"{label.replace('%', '%%')}:%s" for label in self._labels)
        self._probabilities_template = f"{{{members}}}"
        self._max_cached_rows = cached_rows
        # 0.0 and -0.0 are equal keys of a dictionary but different inputs of a model.
        kinds = {column.kind for column in package.schema.features}
        self._is_cacheable = cached_rows > 0 and kinds <= _CACHEABLE_KINDS
        self._cache: dict[tuple[Any, ...], ScoredRow] = {}  # stays empty unless `_is_cacheable`

    def probabilities(self, rows: Sequence[tuple[Any, ...]]) -> NDArray[np.float64]:
        """Return calibrated probabilities, shape (n_rows, n_classes)."""
        columns = list(zip(*rows, strict=True))
        return self._predict(self._encode(columns), columns, len(rows))

    def cached(self, row: tuple[Any, ...]) -> ScoredRow | None:
        """Return the score of a row from the cache, None when it is not there."""
        return self._cache.get(row)

    def score(self, rows: Sequence[tuple[Any, ...]]) -> list[ScoredRow]:
        """Return the scores of parsed rows, in order."""
        if not self._is_cacheable:
            return self._score_uncached(rows)
        cache = self._cache
        try:
            return [cache[row] for row in rows]
        except KeyError:
            if len(cache) > self._max_cached_rows:
                cache = self._cache = {}
            new_rows = list({row: None for row in rows if row not in cache})
            cache.update(zip(new_rows, self._score_uncached(new_rows), strict=True))
            return [cache[row] for row in rows]

    def _score_uncached(self, rows: Sequence[tuple[Any, ...]]) -> list[ScoredRow]:
        columns = list(zip(*rows, strict=True))
        encoded = self._encode(columns)
        probabilities = self._predict(encoded, columns, len(rows))
        codes = predicted_codes(probabilities, self.package.schema.target, self._thresholds(columns)).tolist()
        probability_rows = probabilities.tolist()
        texts = [_number_texts(column) for column in probabilities.T.tolist()]
        probabilities_json = list(map(self._probabilities_template.__mod__, zip(*texts, strict=True)))
        prefixes = [
            f'{{"prediction":{self._labels[code]},"confidence":{texts[code][position]},'
            f'"probabilities":{members},"prediction_id":"'
            for position, (code, members) in enumerate(zip(codes, probabilities_json, strict=True))
        ]
        labels = map(self._classes.__getitem__, codes)
        confidences = [row[code] for row, code in zip(probability_rows, codes, strict=True)]
        suffixes = self._json_suffixes(encoded, columns, len(rows))
        features = _logged_features(encoded, len(rows))
        return list(
            map(ScoredRow, prefixes, suffixes, features, labels, probabilities_json, confidences, probability_rows)
        )

    def _thresholds(self, columns: Sequence[Sequence[Any]]) -> Threshold:
        if not self._has_group_thresholds:
            return self.package.threshold
        return self.package.row_thresholds(dict(zip(self.package.schema.feature_names, columns, strict=True)))

    def _encode(self, columns: Sequence[Sequence[Any]]) -> list[list[_EncodedValue]]:
        return [encoder.encode(values) for encoder, values in zip(self._column_encoders, columns, strict=True)]

    def _json_suffixes(
        self, encoded: list[list[_EncodedValue]], columns: Sequence[Sequence[Any]], n_rows: int
    ) -> list[str]:
        """Return the end of the JSON of each row, with its warnings."""
        warnings_by_row: dict[int, list[PredictionWarning]] = {}
        n_missing: Counter[int] = Counter()
        for encoded_values, values in zip(encoded, columns, strict=True):
            for position, encoded_value in enumerate(encoded_values):
                if encoded_value[2] is not None:
                    warnings_by_row.setdefault(position, []).append(encoded_value[2])
            n_missing.update([position for position, value in enumerate(values) if value is None])
        for position, n in n_missing.items():
            if n >= self._many_missing_count:
                message = f"{n} of {len(columns)} values are missing; the prediction uses the others only"
                warnings_by_row.setdefault(position, []).append(PredictionWarning("", "many_missing", message))
        suffixes = [_NO_WARNINGS_JSON] * n_rows
        for position, warnings in warnings_by_row.items():
            plain = [
                {"feature": warning.feature, "rule": warning.rule, "message": warning.message} for warning in warnings
            ]
            suffixes[position] = f'","warnings":{json.dumps(plain)}'
        return suffixes

    def _predict(
        self, encoded: list[list[_EncodedValue]], columns: Sequence[Sequence[Any]], n_rows: int
    ) -> NDArray[np.float64]:
        data = b"".join([encoded_value[0] for row in zip(*encoded, strict=True) for encoded_value in row])
        matrix = np.frombuffer(data, dtype=np.float32).reshape(n_rows, self._width)
        if self._derived_encoder is not None:
            values = dict(zip(self.package.schema.feature_names, columns, strict=True))
            matrix = np.concatenate([matrix, self._derived_encoder.transform(values)], axis=1)
        classifier = self.package.serving_classifier
        return classifier.calibration.apply(classifier.uncalibrated_proba(matrix))


def _number_texts(numbers: list[float]) -> list[str]:
    """Return each number as JSON with the shortest exact digits, as `repr` does, in a seventh of its time."""
    return msgspec.json.encode(numbers)[1:-1].decode().split(",")


def _logged_features(encoded: list[list[_EncodedValue]], n_rows: int) -> list[str]:
    """Return the features of each row in their logged form; either all values of a column have one, or none."""
    columns = [[value.logged for value in values] for values in encoded if values[0].logged]
    if not columns:
        return ["{}"] * n_rows
    return list(map("{%s}".__mod__, map(",".join, zip(*columns, strict=True))))


class _ColumnEncoder:
    """Encodes the values of one column, each distinct value once where that is cheaper."""

    def __init__(self, column: Column, encoder: Encoder | None, bins: Bins | None, hash_key: bytes) -> None:
        self._column = column
        self._encoder = encoder
        self._bins = bins
        self._hash_key = hash_key
        self._cache: dict[Any, _EncodedValue] = {}

    def encode(self, values: Sequence[Any]) -> list[_EncodedValue]:
        if self._column.kind not in _CACHEABLE_KINDS:
            return self._encode_uncached(values)
        cache = self._cache
        try:
            return [cache[value] for value in values]
        except KeyError:
            if len(cache) > _MAX_CACHED_VALUES:
                cache = self._cache = {}
            new_values = list({value for value in values if value not in cache})
            cache.update(zip(new_values, self._encode_uncached(new_values), strict=True))
            return [cache[value] for value in values]

    def _encode_uncached(self, values: Sequence[Any]) -> list[_EncodedValue]:
        width = 0
        data = b""
        if self._encoder is not None:
            matrix = self._encoder.transform({self._column.name: values})
            width, data = 4 * matrix.shape[1], matrix.tobytes()
        labels = self._bin_labels(values)
        return [
            _EncodedValue(
                data[position * width : (position + 1) * width],
                self._logged_value(value, code),
                None if label == "" else value_warning(self._column, label, value),
            )
            for position, (value, (code, label)) in enumerate(zip(values, labels, strict=True))
        ]

    def _bin_labels(self, values: Sequence[Any]) -> list[tuple[int | None, str]]:
        """Return the bin of each value, and its name where it is one outside of training."""
        if self._bins is None:
            return [(None, "")] * len(values)
        numbers: Any = values
        if self._column.kind == "datetime":
            times = np.array(["NaT" if value is None else value for value in values], dtype="datetime64[us]")
            numbers = np.where(np.isnat(times), np.nan, times.astype(np.int64).astype(np.float64))
        names = self._bins.outside_reasons
        return [(code, names[code]) for code in self._bins.codes(numbers).tolist()]

    def _logged_value(self, value: Any, code: int | None) -> str:
        policy = self._column.store
        if policy == "drop" or (policy == "bin" and code is None):
            return ""
        name = json.dumps(self._column.name, ensure_ascii=False)
        if policy == "bin":
            return f'{name}:{{"bin":{code}}}'
        if policy == "hash" and value is not None:
            text = f"{self._column.name}\0{value}".encode()
            return f'{name}:{{"hash":"{hashlib.blake2b(text, key=self._hash_key, digest_size=16).hexdigest()}"}}'
        return f"{name}:{json.dumps(value, ensure_ascii=False)}"


def _build_column_encoders(package: Package, hash_key: bytes) -> list[_ColumnEncoder]:
    encoder = package.serving_classifier.encoder
    encoders = {
        plan.name: encoder.only([plan.name]) for plan in encoder.encodings_ if plan.name not in encoder.derived.names
    }
    bins = {bins.name: bins for bins in package.reference.columns}
    return [
        _ColumnEncoder(column, encoders.get(column.name), bins.get(column.name), hash_key)
        for column in package.schema.features
    ]
