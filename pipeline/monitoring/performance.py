"""Say how well a model does in a window: from outcomes, and before they arrive from its own probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pipeline.errors import DataError
from pipeline.metrics import METRICS, Estimate, metric_named
from pipeline.metrics.rows import Scored, Weighted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pipeline.package import Bins
    from pipeline.schema import Target

    Floats = NDArray[np.float64]

__all__ = [
    "ESTIMABLE",
    "Cells",
    "Degradation",
    "Performance",
    "expected_performance",
    "find_degradation",
    "is_trusted",
    "measured_performance",
]

_CELLS = 4000
# Figures that calibrated probabilities settle by themselves; the calibration error would always come out as none.
ESTIMABLE = ("accuracy", "f1_weighted", "precision", "recall", "roc_auc", "pr_auc", "log_loss", "brier")


@dataclass(frozen=True, slots=True)
class Cells:
    """Predictions grouped by what was said: the same probabilities, within a hair, and the same class.

    `probabilities` has shape (n_cells, n_classes), `predicted` and `counts` have one entry for each cell;
    `outcomes` counts the rows of each true class where outcomes are known, shape (n_cells, n_classes).
    """

    probabilities: Floats
    predicted: NDArray[np.int64]
    counts: NDArray[np.int64]
    positive: int | None
    outcomes: NDArray[np.int64] | None = None

    @property
    def n_rows(self) -> int:
        """Predictions in all cells."""
        return int(self.counts.sum())

    @classmethod
    def from_histogram(cls, bins: Bins, counts: NDArray[np.int64], target: Target, *, threshold: float | None) -> Cells:
        """Return the cells of the score's counts in the bins of `bins.finest` (two classes only).

        Raises
        ------
        DataError
            When there are more than two classes: one score does not say how probable the others were.
        """
        if not target.is_binary or target.positive is None:
            raise DataError(f"{target.column}: expected performance from a histogram needs two classes; pass rows")
        points = np.array(bins.finest.points, dtype=np.float64)
        if len(points) == 0:
            points = np.array([0.0, 1.0])
        centres = np.concatenate([(points[:-1] + points[1:]) / 2, [points[0] / 2, (points[-1] + 1) / 2]])
        # A bin holds its upper edge: one that ends below the threshold is called negative.
        upper = np.concatenate([points[1:], [points[0], 1.0]])
        held = np.asarray(counts[: len(centres)], dtype=np.int64)
        is_used = held > 0
        positive = target.classes.index(target.positive)
        says = upper >= (0.5 if threshold is None else threshold)
        return _binary(centres[is_used], says[is_used], held[is_used], positive)

    @classmethod
    def from_rows(
        cls,
        probabilities: Floats,
        predicted: NDArray[np.integer[Any]],
        *,
        positive: int | None,
        outcomes: NDArray[np.integer[Any]] | None = None,
    ) -> Cells:
        """Return the cells of rows; with two classes at most a few thousand, otherwise one for each row.

        Parameters
        ----------
        probabilities : float, shape (n_rows, n_classes)
        predicted, outcomes : int, shape (n_rows,)
            Positions of classes.
        positive : int or None
            The class that scores speak of, with two classes.
        """
        n_classes = probabilities.shape[1]
        said = np.asarray(predicted, dtype=np.int64)
        if positive is None:
            true = None if outcomes is None else np.eye(n_classes, dtype=np.int64)[outcomes]
            return cls(probabilities, said, np.ones(len(said), dtype=np.int64), None, true)
        score = probabilities[:, positive]
        code = np.minimum((score * _CELLS).astype(np.int64), _CELLS - 1) * 2 + (said == positive)
        counts = np.bincount(code, minlength=2 * _CELLS)
        used = np.flatnonzero(counts)
        mean = np.bincount(code, weights=score, minlength=2 * _CELLS)[used] / counts[used]
        cells = _binary(mean, used % 2 == 1, counts[used], positive)
        if outcomes is None:
            return cells
        true = np.bincount(code * 2 + outcomes, minlength=4 * _CELLS).reshape(-1, 2)[used]
        return cls(cells.probabilities, cells.predicted, cells.counts, positive, true)

    def scored(self) -> Scored:
        """Return one row for each cell and class: as many weights make it any set of outcomes."""
        n_cells, n_classes = self.probabilities.shape
        y = np.tile(np.arange(n_classes), n_cells)
        return Scored(
            y,
            np.repeat(self.probabilities, n_classes, axis=0),
            np.repeat(self.predicted, n_classes),
            self.positive,
        )


def _binary(score: Floats, says: NDArray[np.bool_], counts: NDArray[np.int64], positive: int) -> Cells:
    probabilities = np.empty((len(score), 2))
    probabilities[:, positive], probabilities[:, 1 - positive] = score, 1.0 - score
    return Cells(probabilities, np.where(says, positive, 1 - positive), counts, positive)


@dataclass(frozen=True, slots=True)
class Performance:
    """Figures of a window with their intervals.

    `is_expected` says that no outcome was looked at; `n_rows` predictions of which `n_outcomes` have one.
    """

    figures: Mapping[str, Estimate]
    n_rows: int
    n_outcomes: int
    is_expected: bool

    @property
    def coverage(self) -> float:
        """Share of the predictions whose outcome is known."""
        return self.n_outcomes / self.n_rows if self.n_rows else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "is_expected": self.is_expected,
            "n_rows": self.n_rows,
            "n_outcomes": self.n_outcomes,
            "coverage": self.coverage,
            "figures": {name: one.as_dict() for name, one in self.figures.items()},
        }


def expected_performance(
    cells: Cells, names: Sequence[str] = ESTIMABLE, *, confidence: float, draws: int, seed: int
) -> Performance:
    """Return the figures to be expected if probabilities hold: of ten rows said to be 0.9, nine are.

    Parameters
    ----------
    cells : Cells
    names : sequence of str
        Members of `METRICS`.
    confidence : float between 0 and 1
        Level of the band in which the realised figure falls by the luck of outcomes alone.
    draws : int
        How often outcomes are drawn for the band.
    seed : int

    Notes
    -----
    Cannot see that the same features now mean another outcome (concept drift), and is off by as much as the
    probabilities are. The figure is that of the expected confusion counts, as confidence-based performance
    estimation has it.
    """
    if cells.n_rows == 0:
        return Performance({name: Estimate(None, None, None) for name in names}, 0, 0, is_expected=True)
    weights = (cells.probabilities * cells.counts[:, None]).reshape(1, -1)
    rng = np.random.default_rng(seed)
    figures = _figures(cells.scored(), weights, _drawn_outcomes(cells, draws, rng), names, confidence)
    return Performance(figures, cells.n_rows, 0, is_expected=True)


def measured_performance(
    cells: Cells, names: Sequence[str], *, n_rows: int, confidence: float, draws: int, seed: int
) -> Performance:
    """Return the figures of the rows whose outcomes are known, with intervals of the bootstrap over rows.

    Parameters
    ----------
    cells : Cells
        With `outcomes`.
    names : sequence of str
        Members of `METRICS`.
    n_rows : int
        All predictions of the window, with and without an outcome.
    confidence, draws, seed
        As for `expected_performance`.
    """
    if cells.outcomes is None or cells.outcomes.sum() == 0:
        return Performance({name: Estimate(None, None, None) for name in names}, n_rows, 0, is_expected=False)
    flat = cells.outcomes.reshape(-1)
    total = int(flat.sum())
    drawn = np.random.default_rng(seed).multinomial(total, flat / total, size=draws).astype(np.float64)
    figures = _figures(cells.scored(), flat[None, :].astype(np.float64), drawn, names, confidence)
    return Performance(figures, n_rows, total, is_expected=False)


def _drawn_outcomes(cells: Cells, draws: int, rng: np.random.Generator) -> Floats:
    n_classes = cells.probabilities.shape[1]
    if n_classes == 2:
        first = rng.binomial(cells.counts, cells.probabilities[:, 0], size=(draws, len(cells.counts)))
        drawn = np.stack([first, cells.counts - first], axis=2)
    else:
        shares = cells.probabilities / cells.probabilities.sum(axis=1, keepdims=True)
        drawn = rng.multinomial(cells.counts, shares, size=(draws, len(cells.counts)))
    return drawn.reshape(draws, -1).astype(np.float64)


def _figures(
    scored: Scored, weights: Floats, drawn: Floats, names: Sequence[str], confidence: float
) -> dict[str, Estimate]:
    tail = (1.0 - confidence) / 2
    plain, many = Weighted(scored, weights), Weighted(scored, drawn)
    figures = {}
    for name in names:
        metric = metric_named(name, key="monitoring.metrics")
        value, spread = float(metric.function(plain)[0]), metric.function(many)
        spread = spread[~np.isnan(spread)]
        if np.isnan(value) or len(spread) == 0:
            figures[name] = Estimate(None if np.isnan(value) else value, None, None)
            continue
        low, high = np.quantile(spread, [tail, 1.0 - tail])
        figures[name] = Estimate(value, float(low), float(high))
    return figures


def is_trusted(expected: Performance, measured: Performance) -> dict[str, bool]:
    """Return for each figure whether what was expected agrees with what came true: their intervals overlap.

    A figure without outcomes is not judged and left out.
    """
    said = {}
    for name, one in expected.figures.items():
        other = measured.figures.get(name)
        if other is None or None in (one.low, one.high, other.low, other.high):
            continue
        said[name] = bool(one.low <= other.high and other.low <= one.high)  # type: ignore[operator] # None is ruled out above
    return said


@dataclass(frozen=True, slots=True)
class Degradation:
    """One figure against its baseline; `worsening` is above 0 when it got worse, whatever its direction.

    `at_least` is the part of it that is beyond chance. `verdict` is `degraded` when the worsening is above
    the limit and beyond chance, `watch` when only one of the two holds for more than half of the limit.
    """

    metric: str
    baseline: float
    value: float | None
    worsening: float | None
    at_least: float | None
    limit: float
    kind: Literal["relative", "absolute"]

    @property
    def verdict(self) -> Literal["ok", "watch", "degraded", "not_enough_data"]:
        """What to make of it."""
        if self.worsening is None or self.at_least is None:
            return "not_enough_data"
        is_beyond_chance = self.at_least > 0
        if self.worsening > self.limit and is_beyond_chance:
            return "degraded"
        return "watch" if is_beyond_chance and self.worsening > self.limit / 2 else "ok"


def find_degradation(
    performance: Performance,
    baseline: Mapping[str, float],
    *,
    limit: float,
    kind: Literal["relative", "absolute"] = "relative",
) -> tuple[Degradation, ...]:
    """Return how each figure of `baseline` compares with the window, the worst first.

    Parameters
    ----------
    performance : Performance
    baseline : mapping of metric to figure
    limit : float
        Worsening that counts: a share of the baseline, or in the unit of the metric where `kind` is absolute.

    Raises
    ------
    UnknownKind
        When a name is no metric.
    """
    found = [_degradation(name, value, performance, limit, kind) for name, value in baseline.items()]
    return tuple(sorted(found, key=lambda one: -(one.worsening if one.worsening is not None else -np.inf)))


def _degradation(
    name: str, baseline: float, performance: Performance, limit: float, kind: Literal["relative", "absolute"]
) -> Degradation:
    sign = 1.0 if METRICS[_known(name)].higher_is_better else -1.0
    one = performance.figures.get(_known(name), Estimate(None, None, None))
    better_end = one.high if sign > 0 else one.low
    scale = abs(baseline) if kind == "relative" and baseline != 0 else 1.0
    worsening = None if one.value is None else sign * (baseline - one.value) / scale
    at_least = None if better_end is None else sign * (baseline - better_end) / scale
    return Degradation(name, baseline, one.value, worsening, at_least, limit, kind)


def _known(name: str) -> str:
    """Return the metric that a name means, also under the names that scikit-learn gives to some."""
    word = {"f1_score": "f1_weighted", "auc": "roc_auc"}.get(name, name)
    return metric_named(word, key="baseline_metrics").name
