"""Score accepted rows: probabilities, what each row should be warned of, and what the log keeps of it.

Columns are encoded one by one and do not depend on each other, so whatever was found out about a value of
a column (its figures in the matrix, its bin, its stored form) is kept and looked up when it comes again. A
row gets the same bits alone, in a batch and from a file.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pipeline.classifier import decide
from pipeline.features import Encoder
from pipeline.serving.contracts import Notice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pipeline.package import Bins, Package
    from pipeline.schema import Column

__all__ = ["RowScorer", "Scored"]

_MAX_KEPT = 20_000
_LOOKED_UP = frozenset({"integer", "category", "boolean"})


class _Cell(NamedTuple):
    """What is known of one value: its part of the matrix as bytes, its stored form, its notice."""

    encoded: bytes
    stored: str
    notice: Notice | None


@dataclass(frozen=True, slots=True)
class Scored:
    """Rows with their answers, in order; `stored` is what the log keeps of their features, as JSON."""

    labels: list[str]
    confidences: list[float]
    probabilities: list[list[float]]
    notices: list[tuple[Notice, ...]]
    stored: list[str]


class RowScorer:
    """Scores the rows of one package.

    Parameters
    ----------
    package : Package
    many_missing : float between 0 and 1
        Share of missing values of a row from which it is told.
    secret : bytes
        Key of the hashes that stand for values of columns with `store: hash`.
    """

    def __init__(self, package: Package, *, many_missing: float, secret: bytes) -> None:
        self.package = package
        self._columns = _columns(package, secret)
        self._n_missing = max(1, int(np.ceil(many_missing * len(self._columns))))
        self._width = len(package.served.encoder.names_out_)
        self._classes = package.classes

    def probabilities(self, rows: Sequence[tuple[Any, ...]]) -> NDArray[np.float64]:
        """Return calibrated probabilities, shape (n_rows, n_classes)."""
        return self._predict(self._cells(rows), len(rows))

    def score(self, rows: Sequence[tuple[Any, ...]]) -> Scored:
        """Return the answers to rows that a codec accepted."""
        cells = self._cells(rows)
        probabilities = self._predict(cells, len(rows))
        labels = decide(probabilities, self.package.schema.target, self.package.threshold).tolist()
        plain = probabilities.tolist()
        at = {name: code for code, name in enumerate(self._classes)}
        confidences = [row[at[label]] for row, label in zip(plain, labels, strict=True)]
        stored = ["{" + ",".join([cell.stored for cell in row if cell.stored]) + "}" for row in cells]
        notices = [self._notices(row, values) for row, values in zip(cells, rows, strict=True)]
        return Scored(labels, confidences, plain, notices, stored)

    def _cells(self, rows: Sequence[tuple[Any, ...]]) -> list[tuple[_Cell, ...]]:
        by_column = [
            column.cells(values) for column, values in zip(self._columns, zip(*rows, strict=True), strict=True)
        ]
        return list(zip(*by_column, strict=True))

    def _predict(self, cells: list[tuple[_Cell, ...]], n_rows: int) -> NDArray[np.float64]:
        data = b"".join([cell[0] for row in cells for cell in row])
        matrix = np.frombuffer(data, dtype=np.float32).reshape(n_rows, self._width)
        served = self.package.served
        return served.calibration.apply(served.score(matrix))

    def _notices(self, row: tuple[_Cell, ...], values: tuple[Any, ...]) -> tuple[Notice, ...]:
        found = [cell[2] for cell in row if cell[2] is not None]
        n_missing = values.count(None)
        if n_missing >= self._n_missing:
            said = f"{n_missing} of {len(values)} values are missing; the answer rests on few"
            found.append(Notice("", "many_missing", said))
        return tuple(found)


class _ColumnCells:
    """What is known of the values of one column."""

    def __init__(self, column: Column, encoder: Encoder | None, bins: Bins | None, secret: bytes) -> None:
        self._column = column
        self._encoder = encoder
        self._bins = bins
        self._secret = secret
        self._known: dict[Any, _Cell] = {}

    def cells(self, values: Sequence[Any]) -> list[_Cell]:
        if self._column.kind not in _LOOKED_UP:
            return self._make(values)
        known = self._known
        try:
            return [known[value] for value in values]
        except KeyError:
            if len(known) > _MAX_KEPT:
                known = self._known = {}
            fresh = list({value for value in values if value not in known})
            known.update(zip(fresh, self._make(fresh), strict=True))
            return [known[value] for value in values]

    def _make(self, values: Sequence[Any]) -> list[_Cell]:
        width = 0
        data = b""
        if self._encoder is not None:
            matrix = self._encoder.transform({self._column.name: values})
            width, data = 4 * matrix.shape[1], matrix.tobytes()
        labels = self._bin_labels(values)
        return [
            _Cell(data[at * width : (at + 1) * width], self._stored(value, code), self._notice(label))
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

    def _stored(self, value: Any, code: int | None) -> str:
        policy = self._column.store
        if policy == "drop" or (policy == "bin" and code is None):
            return ""
        name = json.dumps(self._column.name, ensure_ascii=False)
        if policy == "bin":
            return f'{name}:{{"bin":{code}}}'
        if policy == "hash" and value is not None:
            text = f"{self._column.name}\0{value}".encode()
            return f'{name}:{{"hash":"{hashlib.blake2b(text, key=self._secret, digest_size=16).hexdigest()}"}}'
        return f"{name}:{json.dumps(value, ensure_ascii=False)}"

    def _notice(self, label: str) -> Notice | None:
        if label in ("below", "above"):
            said = f"the value lies {label} those of the training rows; the answer is a guess beyond what was learned"
            return Notice(self._column.name, "out_of_range", said)
        if label == "unseen":
            said = "this value did not occur in the training rows; the answer rests on the other features"
            return Notice(self._column.name, "unseen", said)
        return None


def _columns(package: Package, secret: bytes) -> list[_ColumnCells]:
    plain = package.served.encoder.as_dict()
    encoders = {plan["name"]: Encoder.from_dict({**plain, "columns": [plan]}) for plan in plain["columns"]}
    bins = {one.name: one for one in package.reference.columns}
    return [
        _ColumnCells(column, encoders.get(column.name), bins.get(column.name), secret)
        for column in package.schema.features
    ]
