"""Score accepted rows: probabilities, what each row should be warned of, and what the log keeps of it.

Columns are encoded one by one and do not depend on each other, so whatever was found out about a value of
a column (its figures in the matrix, its bin, its stored form) is kept and looked up when it comes again. A
row gets the same bits alone, in a batch and from a file.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np

from pipeline.modeling.classifier import predicted_codes
from pipeline.modeling.encoder import Encoder
from pipeline.serving.prediction_types import PredictionWarning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pipeline.package import Bins, Package
    from pipeline.schema import Column

__all__ = ["RowScorer", "ScoredRow"]

_MAX_CACHED_VALUES = 20_000
_CACHEABLE_KINDS = frozenset({"integer", "category", "boolean"})
_NO_WARNINGS_JSON = '","warnings":[]'


class _EncodedValue(NamedTuple):
    """What is known of one value: its part of the matrix as bytes, its stored form, its notice."""

    encoded: bytes
    logged: str
    warning: PredictionWarning | None


class ScoredRow(NamedTuple):
    """The answer to one row: its JSON before and behind the identifier without the last brace, and what the log keeps.

    `shares` are the probabilities as JSON by class; `stored` are the features in their stored form, as JSON.
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
        Share of missing values of a row from which it is told.
    secret : bytes
        Key of the hashes that stand for values of columns with `store: hash`.
    cached_rows : int
        Answers that are kept for rows that come again; 0 keeps none. They belong to this package alone.
    """

    def __init__(self, package: Package, *, many_missing: float, hash_key: bytes, cached_rows: int = 0) -> None:
        self.package = package
        self._column_encoders = _build_column_encoders(package, hash_key)
        self._many_missing_count = max(1, int(np.ceil(many_missing * len(self._column_encoders))))
        self._width = len(package.serving_classifier.encoder.feature_names_out_)
        self._classes = package.classes
        self._labels = [json.dumps(name) for name in package.classes]
        words = ",".join(f"{label}:%s" for label in (one.replace("%", "%%") for one in self._labels))
        self._probabilities_template = f"{{{words}}}"
        self._max_cached_rows = cached_rows
        # 0.0 and -0.0 are equal to a dictionary and not to a model.
        self._is_cacheable = cached_rows > 0 and all(one.kind in _CACHEABLE_KINDS for one in package.schema.features)
        self._cache: dict[tuple[Any, ...], ScoredRow] = {}  # stays empty unless `_is_kept`

    def probabilities(self, rows: Sequence[tuple[Any, ...]]) -> NDArray[np.float64]:
        """Return calibrated probabilities, shape (n_rows, n_classes)."""
        return self._predict(self._encode(list(zip(*rows, strict=True))), len(rows))

    def cached(self, row: tuple[Any, ...]) -> ScoredRow | None:
        """Return the answer to a row that came before, where it is still known."""
        return self._cache.get(row)

    def score(self, rows: Sequence[tuple[Any, ...]]) -> list[ScoredRow]:
        """Return the answers to rows that a codec accepted, in order."""
        if not self._is_cacheable:
            return self._score_uncached(rows)
        kept = self._cache
        try:
            return [kept[row] for row in rows]
        except KeyError:
            if len(kept) > self._max_cached_rows:
                kept = self._cache = {}
            fresh = list({row: None for row in rows if row not in kept})
            kept.update(zip(fresh, self._score_uncached(fresh), strict=True))
            return [kept[row] for row in rows]

    def _score_uncached(self, rows: Sequence[tuple[Any, ...]]) -> list[ScoredRow]:
        values = list(zip(*rows, strict=True))
        cells = self._encode(values)
        probabilities = self._predict(cells, len(rows))
        codes = predicted_codes(probabilities, self.package.schema.target, self.package.threshold).tolist()
        plain = probabilities.tolist()
        texts = [_number_texts(column) for column in probabilities.T.tolist()]
        shares = list(map(self._probabilities_template.__mod__, zip(*texts, strict=True)))
        before = [
            f'{{"prediction":{self._labels[code]},"confidence":{texts[code][at]},"probabilities":{share},"prediction_id":"'
            for at, (code, share) in enumerate(zip(codes, shares, strict=True))
        ]
        labels = map(self._classes.__getitem__, codes)
        confidences = [row[code] for row, code in zip(plain, codes, strict=True)]
        behind = self._json_suffixes(cells, values, len(rows))
        return list(
            map(ScoredRow, before, behind, _logged_features(cells, len(rows)), labels, shares, confidences, plain)
        )

    def _encode(self, values: Sequence[Sequence[Any]]) -> list[list[_EncodedValue]]:
        """Return what is known of the values of each column."""
        return [column.encode(given) for column, given in zip(self._column_encoders, values, strict=True)]

    def _json_suffixes(
        self, encoded: list[list[_EncodedValue]], values: Sequence[Sequence[Any]], n_rows: int
    ) -> list[str]:
        """Return the end of each answer, with what the row should be warned of."""
        notices: dict[int, list[PredictionWarning]] = {}
        n_missing: Counter[int] = Counter()
        for column, given in zip(encoded, values, strict=True):
            for at, cell in enumerate(column):
                if cell[2] is not None:
                    notices.setdefault(at, []).append(cell[2])
            n_missing.update([at for at, value in enumerate(given) if value is None])
        for at, n in n_missing.items():
            if n >= self._many_missing_count:
                said = f"{n} of {len(values)} values are missing; the answer rests on few"
                notices.setdefault(at, []).append(PredictionWarning("", "many_missing", said))
        behind = [_NO_WARNINGS_JSON] * n_rows
        for at, found in notices.items():
            plain = ({"column": one.feature, "rule": one.rule, "message": one.message} for one in found)
            behind[at] = f'","warnings":[{",".join(map(json.dumps, plain))}]'
        return behind

    def _predict(self, encoded: list[list[_EncodedValue]], n_rows: int) -> NDArray[np.float64]:
        data = b"".join([cell[0] for row in zip(*encoded, strict=True) for cell in row])
        matrix = np.frombuffer(data, dtype=np.float32).reshape(n_rows, self._width)
        served = self.package.serving_classifier
        return served.calibration.apply(served.uncalibrated_proba(matrix))


def _number_texts(numbers: list[float]) -> list[str]:
    """Return each number as JSON, with the fewest digits that tell it from all others, as `repr` in a seventh of its time."""
    return msgspec.json.encode(numbers)[1:-1].decode().split(",")


def _logged_features(encoded: list[list[_EncodedValue]], n_rows: int) -> list[str]:
    """Return the features of each row in their stored form; of a column either all values have one or none."""
    columns = [[cell[1] for cell in column] for column in encoded if column[0][1]]
    if not columns:
        return ["{}"] * n_rows
    return list(map("{%s}".__mod__, map(",".join, zip(*columns, strict=True))))


class _ColumnEncoder:
    """What is known of the values of one column."""

    def __init__(self, column: Column, encoder: Encoder | None, bins: Bins | None, hash_key: bytes) -> None:
        self._column = column
        self._encoder = encoder
        self._bins = bins
        self._hash_key = hash_key
        self._cache: dict[Any, _EncodedValue] = {}

    def encode(self, values: Sequence[Any]) -> list[_EncodedValue]:
        if self._column.kind not in _CACHEABLE_KINDS:
            return self._encode_uncached(values)
        known = self._cache
        try:
            return [known[value] for value in values]
        except KeyError:
            if len(known) > _MAX_CACHED_VALUES:
                known = self._cache = {}
            fresh = list({value for value in values if value not in known})
            known.update(zip(fresh, self._encode_uncached(fresh), strict=True))
            return [known[value] for value in values]

    def _encode_uncached(self, values: Sequence[Any]) -> list[_EncodedValue]:
        width = 0
        data = b""
        if self._encoder is not None:
            matrix = self._encoder.transform({self._column.name: values})
            width, data = 4 * matrix.shape[1], matrix.tobytes()
        labels = self._bin_labels(values)
        return [
            _EncodedValue(data[at * width : (at + 1) * width], self._logged_value(value, code), self._warning(label))
            for at, (value, (code, label)) in enumerate(zip(values, labels, strict=True))
        ]

    def _bin_labels(self, values: Sequence[Any]) -> list[tuple[int | None, str]]:
        if self._bins is None:
            return [(None, "")] * len(values)
        counted: Any = values
        if self._column.kind == "datetime":
            moments = np.array(["NaT" if value is None else value for value in values], dtype="datetime64[us]")
            counted = np.where(np.isnat(moments), np.nan, moments.astype(np.int64).astype(np.float64))
        codes = self._bins.codes(counted).tolist()
        names = self._bins.labels
        n_regular = len(names) - (2 if self._bins.kind == "words" else 4 if self._bins.kind == "values" else 3)
        # A declared word may be called like one of the bins behind the regular ones.
        return [(code, names[code] if code >= n_regular else "") for code in codes]

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

    def _warning(self, label: str) -> PredictionWarning | None:
        if label in ("below", "above"):
            said = f"the value lies {label} those of the training rows; the answer is a guess beyond what was learned"
            return PredictionWarning(self._column.name, "out_of_range", said)
        if label == "unseen":
            said = "this value did not occur in the training rows; the answer rests on the other features"
            return PredictionWarning(self._column.name, "unseen", said)
        return None


def _build_column_encoders(package: Package, hash_key: bytes) -> list[_ColumnEncoder]:
    plain = package.serving_classifier.encoder.as_dict()
    encoders = {plan["name"]: Encoder.from_dict({**plain, "columns": [plan]}) for plan in plain["columns"]}
    bins = {one.name: one for one in package.reference.columns}
    return [
        _ColumnEncoder(column, encoders.get(column.name), bins.get(column.name), hash_key)
        for column in package.schema.features
    ]
