"""Columns of every shape that hides drift from means and quantiles, each with a change that a histogram shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from pipeline.monitoring import count_frame, detect_drift
from pipeline.package.reference import build_reference
from pipeline.schema import Column, Schema, Target

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pipeline.monitoring import DriftContext, DriftReport
    from pipeline.package import Reference

    Rng = np.random.Generator
    Draw = Callable[[Rng, int], NDArray[np.float64]]
    Store = Literal["full", "bin"]

__all__ = ["SHAPES", "Shape", "draw_frame", "false_alarm_rate", "power_of", "shape_reference", "shape_report"]

_N_REFERENCE = 18_524
_WORDS = ("basic", "plus", "pro")


@dataclass(frozen=True)
class Shape:
    """One column, how it is drawn before and after the change, and the rows that show the change."""

    name: str
    change: str
    before: Draw
    after: Draw
    kind: str = "float"
    n_rows: int = 2_000


def _lognormal(sigma: float, factor: float = 1.0) -> Draw:
    return lambda rng, n: factor * np.exp(sigma * rng.normal(size=n))


def _normal(center: float = 0.0, scale: float = 1.0) -> Draw:
    return lambda rng, n: center + scale * rng.normal(size=n)


def _mixed(draw: Draw, value: float, share: float) -> Draw:
    """Return `draw` with one value in a share of the rows."""

    def mix(rng: Rng, n: int) -> NDArray[np.float64]:
        return np.where(rng.random(n) < share, value, draw(rng, n))

    return mix


def _poisson(rate: float) -> Draw:
    return lambda rng, n: rng.poisson(rate, n).astype(np.float64)


def _rounded(draw: Draw) -> Draw:
    return lambda rng, n: np.round(draw(rng, n))


def _categories(*shares: float) -> Draw:
    """Return positions of words; the fourth is not declared."""
    return lambda rng, n: rng.choice(len(shares), n, p=shares).astype(np.float64)


_AMOUNT, _CONSTANT = _lognormal(1.0), _normal(5.0, 0.0)
SHAPES = (
    Shape("tails_2", "times 1.25", _lognormal(2.0), _lognormal(2.0, 1.25), n_rows=5_000),
    Shape("tails_2_more", "times 1.5", _lognormal(2.0), _lognormal(2.0, 1.5)),
    Shape("tails_2_5", "times 1.25", _lognormal(2.5), _lognormal(2.5, 1.25), n_rows=10_000),
    Shape("tails_2_5_more", "times 1.5", _lognormal(2.5), _lognormal(2.5, 1.5), n_rows=5_000),
    Shape("training_sentinel", "mean +0.3", _mixed(_normal(), 999_999, 0.01), _mixed(_normal(0.3), 999_999, 0.01)),
    Shape("zeros_80", "amounts times 1.5", _mixed(_AMOUNT, 0, 0.8), _mixed(_lognormal(1.0, 1.5), 0, 0.8), n_rows=5_000),
    Shape("zeros_70", "zeros 70% to 80%", _mixed(_AMOUNT, 0, 0.7), _mixed(_AMOUNT, 0, 0.8)),
    Shape("zeros_95", "zeros 95% to 90%", _mixed(_AMOUNT, 0, 0.95), _mixed(_AMOUNT, 0, 0.9)),
    Shape(
        "near_zeros",
        "90% at 0, amounts +1 deviation",
        _mixed(_normal(100, 10), 0, 0.9),
        _mixed(_normal(110, 10), 0, 0.9),
    ),
    Shape("sentinel_low", "-1 in 3%", _AMOUNT, _mixed(_AMOUNT, -1, 0.03)),
    Shape("sentinel_high", "999999 in 1%", _AMOUNT, _mixed(_AMOUNT, 999_999, 0.01), n_rows=5_000),
    Shape("sentinel_inside", "0 in 3%", _normal(), _mixed(_normal(), 0, 0.03)),
    Shape("sentinel_whole", "99 in 2%", _poisson(4), _mixed(_poisson(4), 99, 0.02), kind="integer"),
    Shape("constant", "5 to varied", _CONSTANT, _normal(5.0)),
    Shape("constant_rare", "5 in 98%", _CONSTANT, _mixed(_CONSTANT, 6, 0.02)),
    Shape("constant_whole", "5 to 6", _CONSTANT, _normal(6.0, 0.0), kind="integer"),
    Shape("became_constant", "varied to 0", _normal(), _normal(0.0, 0.0)),
    Shape("all_missing", "values come", _normal(np.nan), _normal()),
    Shape("some_values_come", "values in 5%", _normal(np.nan), _mixed(_normal(), np.nan, 0.95)),
    Shape("becomes_missing", "missing 0% to 5%", _normal(), _mixed(_normal(), np.nan, 0.05)),
    Shape("tiny_spread", "1e9, mean +0.3", _normal(1e9, 1e-3), _normal(1e9 + 3e-4, 1e-3)),
    Shape("counts", "rate 2 to 2.4", _poisson(2), _poisson(2.4), kind="integer"),
    Shape("rare_counts", "rate 0.05 to 0.1", _poisson(0.05), _poisson(0.1), kind="integer"),
    Shape("large_counts", "rate 200 to 205", _poisson(200), _poisson(205), kind="integer"),
    Shape("spread", "deviation times 1.3", _normal(), _normal(0.0, 1.3)),
    Shape("two_peaks", "peaks 50% to 60%", _mixed(_normal(0, 0.1), 5, 0.5), _mixed(_normal(0, 0.1), 5, 0.6)),
    Shape(
        "whole_amounts",
        "times 1.25",
        _rounded(_lognormal(2.0, 100)),
        _rounded(_lognormal(2.0, 125)),
        kind="integer",
        n_rows=5_000,
    ),
    Shape(
        "new_category",
        "new word in 2%",
        _categories(0.6, 0.3, 0.1),
        _categories(0.6, 0.29, 0.09, 0.02),
        kind="category",
    ),
    Shape("category_share", "60% to 70%", _categories(0.6, 0.3, 0.1), _categories(0.7, 0.22, 0.08), kind="category"),
)


def _schema(shapes: tuple[Shape, ...], store: Store) -> Schema:
    dtypes = {"integer": "Int64", "float": "Float64", "category": "category"}
    columns = tuple(
        Column(
            shape.name,
            shape.kind,
            dtypes[shape.kind],
            nullable=True,
            categories=_WORDS if shape.kind == "category" else (),
            store=store,
        )
        for shape in shapes
    )
    return Schema("shapes", columns, Target("y", ("no", "yes"), "yes"))


def draw_frame(rng: Rng, n: int, shapes: tuple[Shape, ...], *, changed: str = "") -> pd.DataFrame:
    """Return rows of the shapes, one of them changed."""
    columns = {}
    for shape in shapes:
        values = (shape.after if shape.name == changed else shape.before)(rng, n)
        words = np.array([*_WORDS, "gold"], dtype=object)
        columns[shape.name] = words[values.astype(int)] if shape.kind == "category" else values
    return pd.DataFrame(columns)


def shape_reference(frame: pd.DataFrame, shapes: tuple[Shape, ...], *, store: Store = "full") -> Reference:
    """Return the reference of rows of the shapes."""
    score = np.linspace(0.0, 1.0, len(frame))
    predicted = np.where(score < 0.5, "no", "yes")
    return build_reference(frame, _schema(shapes, store), score=score, predicted=predicted, n_bins=10)


def shape_report(reference: Reference, frame: pd.DataFrame, context: DriftContext) -> DriftReport:
    """Return the drift of rows of the shapes."""
    return detect_drift(reference, count_frame(reference, frame, n_rows=len(frame)), context)


def power_of(shape: Shape, rounds: int, seed: int, context: DriftContext, *, store: Store = "full") -> float:
    """Return the share of draws in which the changed shape drifts, among all shapes."""
    rng = np.random.default_rng(seed)
    n_found, others = 0, tuple(other for other in SHAPES if other.name != shape.name)[:6]
    for round_ in range(rounds):
        if round_ % 10 == 0:
            rows = draw_frame(rng, _N_REFERENCE, (shape, *others))
            reference = shape_reference(rows, (shape, *others), store=store)
        window = draw_frame(rng, shape.n_rows, (shape, *others), changed=shape.name)
        n_found += shape.name in shape_report(reference, window, context).drifted_columns
    return n_found / rounds


def false_alarm_rate(
    n_rows: int,
    rounds: int,
    seed: int,
    context: DriftContext,
    *,
    n_reference: int = _N_REFERENCE,
    store: Store = "full",
) -> float:
    """Return the share of draws without any change in which some shape drifts."""
    rng = np.random.default_rng(seed)
    n_raised = 0
    for round_ in range(rounds):
        if round_ % 5 == 0:
            reference = shape_reference(draw_frame(rng, n_reference, SHAPES), SHAPES, store=store)
        n_raised += bool(shape_report(reference, draw_frame(rng, n_rows, SHAPES), context).drifted_columns)
    return n_raised / rounds
