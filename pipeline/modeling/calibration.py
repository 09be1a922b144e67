"""Calibrate the scores of a classifier by monotone maps with a few stored coefficients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pipeline.errors import DataError, IntegrityError
from pipeline.lookup import LookupTable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["Calibration", "fit_calibration"]

_MIN_PROBABILITY = 1e-7
_MAX_ITERATIONS = 100
_TOLERANCE = 1e-10
# ONNX computes scores in float32: a steeper map would raise their rounding above the parity tolerance.
_MAX_SLOPE = 10.0


@dataclass(frozen=True, slots=True)
class _Sigmoid:
    """Probability = 1 / (1 + exp(-(slope * logit + intercept))); the slope is never negative."""

    slope: float
    intercept: float

    def apply(self, scores: Floats) -> Floats:
        return _expit(self.slope * _logit(scores) + self.intercept)


@dataclass(frozen=True, slots=True)
class _PiecewiseLinear:
    """Linear interpolation between the points (x, y), constant outside of them; y never decreases."""

    x: tuple[float, ...]
    y: tuple[float, ...]

    def apply(self, scores: Floats) -> Floats:
        return np.interp(scores, self.x, self.y)


@dataclass(frozen=True, slots=True)
class Calibration:
    """A monotone map for each class, applied to probabilities; it needs only numpy.

    With two classes there is one map, for the second class. With more, each class has its own (one against
    the rest), and rows are normalized to a sum of 1.
    """

    kind: Literal["none", "sigmoid", "isotonic"] = "none"
    maps: tuple[_Sigmoid | _PiecewiseLinear, ...] = ()

    def apply(self, probabilities: Floats) -> Floats:
        """Return calibrated probabilities, shape (n_rows, n_classes), rows summing to 1.

        Parameters
        ----------
        probabilities : float, shape (n_rows, n_classes)
            Probabilities of the estimator, in the order of the target's classes.
        """
        if not self.maps:
            return np.asarray(probabilities, dtype=np.float64)
        if len(self.maps) == 1:
            second = self.maps[0].apply(probabilities[:, 1])
            return np.column_stack([1.0 - second, second])
        each = np.column_stack([map_.apply(probabilities[:, at]) for at, map_ in enumerate(self.maps)])
        return np.asarray(each / each.sum(axis=1, keepdims=True))

    def as_dict(self) -> dict[str, Any]:
        """Return plain values from which `from_dict` builds an equal calibration."""
        return {"kind": self.kind, "maps": [_map_to_dict(map_) for map_ in self.maps]}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Calibration:
        """Return the calibration that `as_dict` wrote.

        Raises
        ------
        IntegrityError
            When `value` has another form than `as_dict` writes.
        """
        try:
            kind = value["kind"]
            if kind == "none":
                return cls()
            if kind == "sigmoid":
                return cls(
                    kind, tuple(_Sigmoid(float(map_["slope"]), float(map_["intercept"])) for map_ in value["maps"])
                )
            if kind == "isotonic":
                return cls(kind, tuple(_PiecewiseLinear(tuple(map_["x"]), tuple(map_["y"])) for map_ in value["maps"]))
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError(f"calibration: invalid content ({error}); restore the package") from error
        raise IntegrityError(f"calibration: kind {kind!r} is not known; known: none, sigmoid, isotonic")


_FITTERS: LookupTable[Callable[[Floats, NDArray[np.bool_], Floats], _Sigmoid | _PiecewiseLinear]] = LookupTable(
    "training.calibration"
)


def fit_calibration(
    kind: str, probabilities: Floats, y: NDArray[np.integer[Any]], *, weights: Floats | None = None
) -> Calibration:
    """Fit a calibration to probabilities of rows that the estimator was not trained on.

    Parameters
    ----------
    kind : none, sigmoid or isotonic
        `sigmoid` is Platt's scaling of the log odds with his smoothed targets (Platt 1999, "Probabilistic
        outputs for support vector machines"), with a slope of at least 0. `isotonic` is the
        non-decreasing step function of least squares (Zadrozny and Elkan 2002). Its ends stay inside Platt's
        smoothed targets, so no probability is 0 or 1. Its steps become slopes of at most 10, so scores that
        differ in the last bits of float32 get nearly equal probabilities.
    probabilities : float, shape (n_rows, n_classes)
        Out-of-fold probabilities.
    y : int, shape (n_rows,)
        Codes of the true classes.
    weights : float, shape (n_rows,), optional
        How much each row counts; a row of weight 0 is left out. All rows count the same by default.

    Raises
    ------
    UnknownOption
        When `kind` is none of the three.
    DataError
        When a probability is missing, or a class has no row.
    """
    if kind == "none":
        return Calibration()
    fit = _FITTERS[kind]
    if weights is not None:
        probabilities, y, weights = probabilities[weights > 0], y[weights > 0], weights[weights > 0]
    n_classes = probabilities.shape[1]
    if not np.isfinite(probabilities).all():
        raise DataError("calibration: a probability is missing or infinite; every row needs out-of-fold probabilities")
    absent = [code for code in range(n_classes) if not (y == code).any()]
    if absent:
        raise DataError(f"calibration: class number {absent[0]} has no rows; each class needs at least one")
    classes = [1] if n_classes == 2 else range(n_classes)
    counted = np.ones(len(y)) if weights is None else weights
    maps = tuple(fit(np.asarray(probabilities[:, code], dtype=np.float64), y == code, counted) for code in classes)
    return Calibration("sigmoid" if kind == "sigmoid" else "isotonic", maps)


@_FITTERS.add("sigmoid")
def _fit_sigmoid(scores: Floats, is_class: NDArray[np.bool_], weights: Floats) -> _Sigmoid:
    low, high = _platt_targets(is_class, weights)
    target = np.where(is_class, high, low)
    coefficients = _fit_by_newton(_logit(scores), target, weights)
    if coefficients.slope > 0:
        return coefficients
    return _Sigmoid(0.0, _mean_logit(target, weights))


@_FITTERS.add("isotonic")
def _fit_isotonic(scores: Floats, is_class: NDArray[np.bool_], weights: Floats) -> _PiecewiseLinear:
    x, at = np.unique(scores, return_inverse=True)
    weight = np.bincount(at, weights=weights).astype(np.float64)
    mean = np.bincount(at, weights=is_class * weights) / weight
    y = _cap_slope(x, np.clip(_pool_adjacent_violators(mean, weight), *_platt_targets(is_class, weights)))
    is_end = np.ones(len(x), dtype=bool)
    is_end[1:-1] = (y[1:-1] != y[:-2]) | (y[1:-1] != y[2:])
    return _PiecewiseLinear(tuple(x[is_end].tolist()), tuple(y[is_end].tolist()))


def _cap_slope(x: Floats, y: Floats) -> Floats:
    """Return the mean of the nearest sequences above and below the non-decreasing `y` with bounded slope."""
    residual = y - _MAX_SLOPE * x
    above = _MAX_SLOPE * x + np.maximum.accumulate(residual[::-1])[::-1]
    below = _MAX_SLOPE * x + np.minimum.accumulate(residual)
    return np.round((above + below) / 2.0, 9)  # constant parts stay exactly constant


def _platt_targets(is_class: NDArray[np.bool_], weights: Floats) -> tuple[float, float]:
    """Return Platt's smoothed targets for rows outside and inside of the class."""
    inside, outside = float(weights[is_class].sum()), float(weights[~is_class].sum())
    return 1.0 / (outside + 2.0), (inside + 1.0) / (inside + 2.0)


def _pool_adjacent_violators(mean: Floats, weight: Floats) -> Floats:
    """Return the non-decreasing sequence nearest to `mean` in weighted least squares (pool adjacent violators)."""
    means: list[float] = []
    weights: list[float] = []
    sizes: list[int] = []
    for value, mass in zip(mean.tolist(), weight.tolist(), strict=True):
        means.append(value)
        weights.append(mass)
        sizes.append(1)
        while len(means) > 1 and means[-2] >= means[-1]:
            last, last_mass, last_size = means.pop(), weights.pop(), sizes.pop()
            total = weights[-1] + last_mass
            means[-1] = (means[-1] * weights[-1] + last * last_mass) / total
            weights[-1] = total
            sizes[-1] += last_size
    return np.repeat(np.array(means), sizes)


def _fit_by_newton(logits: Floats, target: Floats, weights: Floats) -> _Sigmoid:
    """Minimize the cross entropy of the sigmoid by Newton's method with halved steps (Lin, Lin, Weng 2007)."""
    design = np.column_stack([logits, np.ones_like(logits)])
    beta = np.array([0.0, _mean_logit(target, weights)])
    loss = _cross_entropy(design @ beta, target, weights)
    for _ in range(_MAX_ITERATIONS):
        p = _expit(design @ beta)
        gradient = design.T @ (weights * (p - target))
        hessian = (design * (weights * p * (1.0 - p))[:, None]).T @ design + 1e-12 * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        size = 1.0
        while (tried := _cross_entropy(design @ (beta - size * step), target, weights)) > loss and size > _TOLERANCE:
            size /= 2.0
        beta = beta - size * step
        if loss - tried <= _TOLERANCE * max(1.0, abs(loss)):
            break
        loss = tried
    return _Sigmoid(float(beta[0]), float(beta[1]))


def _cross_entropy(f: Floats, target: Floats, weights: Floats) -> float:
    return float(np.sum(weights * (np.logaddexp(0.0, f) - target * f)))


def _mean_logit(target: Floats, weights: Floats) -> float:
    return float(_logit(np.array([np.average(target, weights=weights)]))[0])


def _logit(p: Floats) -> Floats:
    inside = np.clip(p, _MIN_PROBABILITY, 1.0 - _MIN_PROBABILITY)
    return np.log(inside) - np.log1p(-inside)


def _expit(f: Floats) -> Floats:
    return np.exp(-np.logaddexp(0.0, -f))


def _map_to_dict(calibration_map: _Sigmoid | _PiecewiseLinear) -> dict[str, Any]:
    if isinstance(calibration_map, _Sigmoid):
        return {"slope": calibration_map.slope, "intercept": calibration_map.intercept}
    return {"x": list(calibration_map.x), "y": list(calibration_map.y)}
