"""Measure permutation importance: how much a metric worsens when a feature is shuffled."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.metrics import METRICS, compute_metrics, round_significant
from pipeline.modeling.scored_rows import make_scored_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.modeling.classifier import Classifier

__all__ = ["Importance", "importance_table", "permutation_importance"]

_MAX_ROWS = 10_000
_MIN_ROWS, _MAX_SCORED_ROWS = 500, 1_000_000  # over all features and repeats, so a wide table takes seconds
_MAX_UNSCREENED, _GROUP_SIZE = 64, 16


@dataclass(frozen=True, slots=True)
class Importance:
    """How much a metric worsens when the values of one feature are shuffled among the rows.

    `mean`, standard deviation `spread`, `low` and `high` (minimum and maximum) are over the shuffles, in the
    unit of the metric. Values above 0 are worse for any metric.
    """

    column: str
    metric: str
    mean: float | None
    spread: float | None
    low: float | None
    high: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def permutation_importance(
    classifier: Classifier, frame: pd.DataFrame, codes: NDArray[np.int64], *, metric: str, repeats: int, seed: int
) -> list[Importance]:
    """Return the importance of every encoded feature, greatest first (permutation importance, Breiman 2001).

    A feature is shuffled as a whole, with all matrix columns that encode it or are derived from it. Correlated
    features lower each other's importance: each alone looks less important than both together.

    Parameters
    ----------
    classifier : Classifier
        In either form: scikit-learn's or ONNX.
    frame : DataFrame
        Rows that the classifier was not fitted to. At most 10,000 of them are sampled, fewer (at least 500) where
        features and repeats would score more than 1,000,000 rows.
    codes : int, shape (len(frame),)
        True classes.
    metric : str
        Member of `METRICS`.
    repeats : int
        Shuffles of each feature.
    seed : int
    """
    rng = np.random.default_rng(seed)
    rows = _EncodedRows(classifier, frame, codes)
    if len(rows.matrix) > _MAX_ROWS:
        rows = rows.sample(_MAX_ROWS, rng)
    used = _used_features(rows, seed=seed)
    n_rows = max(_MIN_ROWS, _MAX_SCORED_ROWS // max(1, len(used) * repeats))
    if len(rows.matrix) > n_rows:
        rows = rows.sample(n_rows, rng)
    before = rows.metric_value(metric)
    sign = 1.0 if METRICS[metric].higher_is_better else -1.0
    importances = []
    for name in rows.features:
        worse = np.zeros(repeats)
        for repeat in range(repeats):
            order = rng.permutation(len(rows.matrix))
            if name in used:
                with rows.shuffled([name], order):
                    worse[repeat] = sign * (before - rows.metric_value(metric))
        importances.append(_summarize_repeats(name, metric, worse))
    return sorted(importances, key=lambda feature: (feature.mean is None, -(feature.mean or 0.0), feature.column))


class _EncodedRows:
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
        self._classifier, self._frame, self._codes = classifier, frame, codes
        encoder = classifier.encoder
        self.matrix = encoder.transform(frame) if matrix is None else matrix
        self._columns: dict[str, slice] = {}
        at = 0
        for encoding in encoder.encodings_:
            self._columns[encoding.name] = slice(at, at + len(encoding.output_names))
            at += len(encoding.output_names)
        self.features = [name for name in self._columns if name not in encoder.derived.names]

    def sample(self, n_rows: int, rng: np.random.Generator) -> _EncodedRows:
        """Return some of the rows."""
        rows = np.sort(rng.choice(len(self.matrix), n_rows, replace=False))
        return _EncodedRows(self._classifier, self._frame.iloc[rows], self._codes[rows], self.matrix[rows])

    def probabilities(self) -> NDArray[np.float64]:
        """Return the uncalibrated probabilities."""
        return self._classifier.uncalibrated_proba(self.matrix)

    def metric_value(self, metric: str) -> float:
        """Return a metric of the calibrated probabilities."""
        probabilities, target = self._classifier.calibration.apply(self.probabilities()), self._classifier.schema.target
        scored = make_scored_rows(target, self._codes, probabilities, threshold=self._classifier.threshold)
        return compute_metrics(scored, [metric])[metric]

    @contextmanager
    def shuffled(self, names: Sequence[str], order: NDArray[np.intp]) -> Iterator[None]:
        """Put the values of some features, and what is derived from them, into another order of rows."""
        derived = self._classifier.encoder.derived
        dependent = [column.name for column in derived.columns if not set(names).isdisjoint(column.sources)]
        original = {name: self.matrix[:, self._columns[name]].copy() for name in (*names, *dependent)}
        for name in names:
            self.matrix[:, self._columns[name]] = original[name][order]
        if dependent:
            encoder = self._classifier.encoder.only(dependent)
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
        for name, values in original.items():
            self.matrix[:, self._columns[name]] = values


def _used_features(rows: _EncodedRows, *, seed: int) -> set[str]:
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


def _summarize_repeats(column: str, metric: str, worsenings: NDArray[np.float64]) -> Importance:
    statistics = (
        worsenings.mean(),
        worsenings.std(ddof=1) if len(worsenings) > 1 else 0.0,
        worsenings.min(),
        worsenings.max(),
    )
    return Importance(column, metric, *map(round_significant, statistics))


def importance_table(importances: Sequence[Importance]) -> pd.DataFrame:
    """Return `column`, `worsening` (mean), `low` and `high` for `dvc plots`, greatest first."""
    import pandas as pd

    return pd.DataFrame(
        {
            "column": [feature.column for feature in importances],
            "worsening": [feature.mean for feature in importances],
            "low": [feature.low for feature in importances],
            "high": [feature.high for feature in importances],
        }
    )
