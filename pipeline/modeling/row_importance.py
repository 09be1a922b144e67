"""Measure by row how much a prediction depends on each feature, by redrawing the values of the feature."""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.metrics import round_significant

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.modeling.classifier import Classifier

    _Columns = dict[str, NDArray[np.float64]]

__all__ = [
    "EncodedRows",
    "ImportanceSums",
    "RowImportance",
    "measure_row_importance",
    "row_importance_values",
    "used_features",
]

DEFAULT_ROWS, DEFAULT_REDRAWS = 4_000, 4
_SMALLEST_PROBABILITY = 1e-15
_MAX_UNSCREENED, _GROUP_SIZE = 64, 16


@dataclass(frozen=True, slots=True)
class ImportanceSums:
    """Sums over rows of the importance of one feature; those of disjoint sets of rows can be added.

    Attributes
    ----------
    n_rows : int
    total, total_squares : float
        Sum of the values and of their squares.
    """

    n_rows: int
    total: float
    total_squares: float

    @classmethod
    def from_values(cls, values: NDArray[np.float64]) -> ImportanceSums:
        """Return the sums of one value for each row."""
        total, squares = (round_significant(number) or 0.0 for number in (values.sum(), (values**2).sum()))
        return cls(len(values), total, squares)

    @property
    def mean(self) -> float:
        """Mean over the rows; 0 without rows."""
        return self.total / self.n_rows if self.n_rows else 0.0

    @property
    def standard_error(self) -> float:
        """Standard error of the mean; infinite with fewer than two rows."""
        if self.n_rows < 2:
            return math.inf
        variance = max(self.total_squares - self.n_rows * self.mean**2, 0.0) / (self.n_rows - 1)
        return math.sqrt(variance / self.n_rows)


@dataclass(frozen=True, slots=True)
class RowImportance:
    """Importance of each feature, over the same rows.

    Attributes
    ----------
    loss : mapping of str to ImportanceSums
        Permutation importance: how much the log loss of the row increases when the feature is redrawn.
    contribution : mapping of str to ImportanceSums
        Probability that moves to other classes when the feature is redrawn, between 0 and 1; needs no outcomes.
    """

    loss: Mapping[str, ImportanceSums]
    contribution: Mapping[str, ImportanceSums]

    def as_dict(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Return plain values, which `from_dict` reads."""
        return {kind: {name: asdict(sums) for name, sums in getattr(self, kind).items()} for kind in self.__slots__}

    @classmethod
    def from_dict(cls, values: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> RowImportance:
        """Return the importance that `as_dict` wrote."""
        loss, contribution = (
            {name: ImportanceSums(**sums) for name, sums in values[kind].items()} for kind in ("loss", "contribution")
        )
        return cls(loss, contribution)


def measure_row_importance(
    classifier: Classifier,
    frame: pd.DataFrame,
    codes: NDArray[np.int64],
    *,
    max_rows: int = DEFAULT_ROWS,
    n_redraws: int = DEFAULT_REDRAWS,
    seed: int,
) -> RowImportance:
    """Return the importance of every encoded feature on some rows.

    Parameters
    ----------
    classifier : Classifier
        In either form: scikit-learn's or ONNX.
    frame : DataFrame
        Rows that the classifier was not fitted to.
    codes : int, shape (len(frame),)
        True classes.
    max_rows : int
        More rows are sampled.
    n_redraws : int
        How often each row gets the feature's value of another row.
    seed : int

    Notes
    -----
    Native libraries use one thread: the neighbors of a row would otherwise depend on their number.
    """
    rng = np.random.default_rng(seed)
    rows = EncodedRows(classifier, frame, codes)
    if len(codes) > max_rows:
        rows = rows.sample(max_rows, rng)
    values = row_importance_values(rows, n_redraws=n_redraws, seed=seed)
    loss, contribution = (
        {name: ImportanceSums.from_values(column) for name, column in kind.items()} for kind in values
    )
    return RowImportance(loss, contribution)


def row_importance_values(rows: EncodedRows, *, n_redraws: int, seed: int) -> tuple[_Columns, _Columns]:
    """Return loss and contribution of each row by feature, as `measure_row_importance` sums them."""
    from threadpoolctl import threadpool_limits

    rng, used = np.random.default_rng(seed), used_features(rows, seed=seed)
    loss: _Columns = {}
    contribution: _Columns = {}
    with threadpool_limits(limits=1):
        expected = rows.calibrated_probabilities()
        expected_loss = _log_loss_by_row(expected, rows.codes)
        for name in rows.features:
            losses, mean = np.zeros(len(rows.codes)), np.zeros_like(expected)
            for _ in range(n_redraws if name in used else 0):
                with rows.shuffled([name], rng.permutation(len(rows.codes))):
                    redrawn = rows.calibrated_probabilities()
                losses += _log_loss_by_row(redrawn, rows.codes) / n_redraws
                mean += redrawn / n_redraws
            is_used = float(name in used)
            loss[name] = is_used * (losses - expected_loss)
            contribution[name] = is_used * np.abs(expected - mean).sum(axis=1) / 2
    return loss, contribution


def _log_loss_by_row(probabilities: NDArray[np.float64], codes: NDArray[np.int64]) -> NDArray[np.float64]:
    of_true_class = probabilities[np.arange(len(codes)), codes]
    return np.asarray(-np.log(np.maximum(of_true_class, _SMALLEST_PROBABILITY)))


class EncodedRows:
    """The matrix of some rows, of which features can be shuffled for a while.

    Columns that are derived from a shuffled feature are computed anew: the importance of a feature includes theirs.
    """

    def __init__(
        self,
        classifier: Classifier,
        frame: pd.DataFrame,
        codes: NDArray[np.int64],
        matrix: NDArray[np.float32] | None = None,
    ) -> None:
        self.classifier, self._frame, self.codes = classifier, frame, codes
        encoder = classifier.encoder
        self.matrix = encoder.transform(frame) if matrix is None else matrix
        self.thresholds = classifier.row_thresholds(frame)
        self._columns: dict[str, slice] = {}
        at = 0
        for encoding in encoder.encodings_:
            self._columns[encoding.name] = slice(at, at + len(encoding.output_names))
            at += len(encoding.output_names)
        self.features = [name for name in self._columns if name not in encoder.derived.names]

    def sample(self, n_rows: int, rng: np.random.Generator) -> EncodedRows:
        """Return some of the rows."""
        rows = np.sort(rng.choice(len(self.matrix), n_rows, replace=False))
        return EncodedRows(self.classifier, self._frame.iloc[rows], self.codes[rows], self.matrix[rows])

    def probabilities(self) -> NDArray[np.float64]:
        """Return the uncalibrated probabilities."""
        return self.classifier.uncalibrated_proba(self.matrix)

    def calibrated_probabilities(self) -> NDArray[np.float64]:
        """Return the calibrated probabilities."""
        return self.classifier.calibration.apply(self.probabilities())

    @contextmanager
    def shuffled(self, names: Sequence[str], order: NDArray[np.intp]) -> Iterator[None]:
        """Put the values of some features, and what is derived from them, into another order of rows."""
        derived = self.classifier.encoder.derived
        dependent = [column.name for column in derived.columns if not set(names).isdisjoint(column.sources)]
        original = {name: self.matrix[:, self._columns[name]].copy() for name in (*names, *dependent)}
        thresholds, groups = self.thresholds, self.classifier.group_thresholds
        if groups is not None and groups.column in names and isinstance(thresholds, np.ndarray):
            self.thresholds = thresholds[order]
        for name in names:
            self.matrix[:, self._columns[name]] = original[name][order]
        if dependent:
            encoder = self.classifier.encoder.only(dependent)
            sources = encoder.derived.source_names
            frame: Any = {
                name: self._frame[name].iloc[order] if name in names else self._frame[name] for name in sources
            }
            computed = encoder.transform(frame)
            widths = [self.matrix[:, self._columns[encoding.name]].shape[1] for encoding in encoder.encodings_]
            parts = np.split(computed, np.cumsum(widths)[:-1], axis=1)
            for encoding, part in zip(encoder.encodings_, parts, strict=True):
                self.matrix[:, self._columns[encoding.name]] = part
        yield
        self.thresholds = thresholds
        for name, values in original.items():
            self.matrix[:, self._columns[name]] = values


def used_features(rows: EncodedRows, *, seed: int) -> set[str]:
    """Return the features that change a prediction when they are shuffled, found by shuffling ever smaller groups.

    Trees read few features of a wide table. The predictions stay the same to the bit when a group is shuffled that
    no tree reads, so its features need no shuffles of their own.
    """
    names = rows.features
    if len(names) <= _MAX_UNSCREENED:
        return set(names)
    expected = rows.probabilities()
    order = np.random.default_rng(seed).permutation(len(rows.matrix))
    used, pending = set(), [names[start : start + _GROUP_SIZE] for start in range(0, len(names), _GROUP_SIZE)]
    while pending:
        group = pending.pop()
        with rows.shuffled(group, order):
            is_read = not np.array_equal(rows.probabilities(), expected)
        if is_read and len(group) == 1:
            used.update(group)
        elif is_read:
            middle = len(group) // 2
            pending += [group[:middle], group[middle:]]
    return used
