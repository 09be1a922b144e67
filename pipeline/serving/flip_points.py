"""Find the values of one feature at which the predicted class flips, closer than the values that what-if tries."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipeline.package import Package
    from pipeline.schema import Column
    from pipeline.serving.what_if import WhatIf

__all__ = ["Flip", "find_flips"]

_N_STEPS = 32
_N_ROUNDS = 2
_SIGNIFICANT_DIGITS = 4
_MAX_WORDS = 5


@dataclass(frozen=True, slots=True)
class Flip:
    """Values of one feature that flip the prediction, all others being equal.

    Attributes
    ----------
    feature : str
    kind : {"or more", "or less", "between", "words"}
        For numbers `points` has the bound or both bounds, for others the values as text.
    points : tuple
    n_more : int
        Number of further words that flip the prediction, too.
    """

    feature: str
    kind: Literal["or more", "or less", "between", "words"]
    points: tuple[Any, ...]
    n_more: int = 0


@dataclass(slots=True)
class _Run:
    """Neighboring tried numbers that flip: `flipped` is the nearest one, `far` the last one.

    `same` is the number before them on the side of the row. The search moves `same` and `flipped` to each other.
    """

    column: Column
    same: float
    flipped: float
    far: float
    is_above: bool
    is_open: bool


def find_flips(
    package: Package, features: Mapping[str, Any], variations: Sequence[WhatIf], *, label: str
) -> tuple[Flip, ...]:
    """Return the flips of each feature that has any, in the order of the schema.

    Numbers are compared on both sides of the value of the row. The bound of the nearest run of flipping values is
    searched between the last tried value that keeps `label` and the first that does not.

    Parameters
    ----------
    package : Package
    features : mapping
        The parsed row.
    variations : sequence of WhatIf
        Those of the row.
    label : str
        The predicted class of the row.
    """
    words: dict[str, Flip] = {}
    runs: list[_Run] = []
    for name, group in groupby(variations, key=lambda variation: variation.feature):
        tried = list(group)
        column = package.schema.column(name)
        if column.is_numeric and features.get(name) is not None:
            numbers = [variation for variation in tried if variation.raw is not None]
            runs += _nearest_runs(column, numbers, features[name], label=label)
            tried = [variation for variation in tried if variation.raw is None]
        flipping = [variation.value for variation in tried if variation.prediction != label]
        if flipping:
            words[name] = Flip(name, "words", tuple(flipping[:_MAX_WORDS]), max(len(flipping) - _MAX_WORDS, 0))
    _refine_bounds(package, features, runs, label=label)
    by_name: dict[str, list[Flip]] = {}
    for flip in [*map(_number_flip, runs), *words.values()]:
        by_name.setdefault(flip.feature, []).append(flip)
    return tuple(flip for name in package.schema.feature_names for flip in by_name.get(name, []))


def _nearest_runs(column: Column, numbers: Sequence[WhatIf], present: float, *, label: str) -> list[_Run]:
    """Return the nearest run of flipping numbers above and below the present one, from near to far."""
    above = sorted((each for each in numbers if each.raw >= present), key=lambda each: each.raw)
    below = sorted((each for each in numbers if each.raw <= present), key=lambda each: -each.raw)
    runs = []
    for side, is_above in ((below, False), (above, True)):
        flipped = [each.prediction != label for each in side]
        if True not in flipped:
            continue
        start = flipped.index(True)
        end = next((at for at in range(start, len(side)) if not flipped[at]), len(side))
        near = side[max(start - 1, 0)].raw
        runs.append(_Run(column, near, side[start].raw, side[end - 1].raw, is_above, end == len(side)))
    return runs


def _refine_bounds(package: Package, features: Mapping[str, Any], runs: Sequence[_Run], *, label: str) -> None:
    """Search the bound of each run, all of them with the same few calls of the model."""
    for _ in range(_N_ROUNDS):
        candidates = [_steps(run.column, run.same, run.flipped) for run in runs]
        for run, steps, is_flipped in _predict_flips(package, features, runs, candidates, label=label):
            at = is_flipped.index(True) if True in is_flipped else len(steps)
            run.same, run.flipped = [run.same, *steps][at], [*steps, run.flipped][at]
    fractional = [run for run in runs if run.column.kind != "integer"]
    rounded = [[_round_outward(run.same, run.flipped)] for run in fractional]
    for run, (bound,), (does_flip,) in _predict_flips(package, features, fractional, rounded, label=label):
        run.flipped = bound if does_flip else run.flipped


def _predict_flips(
    package: Package, features: Mapping[str, Any], runs: Sequence[_Run], candidates: Sequence[list[Any]], *, label: str
) -> Iterator[tuple[_Run, list[Any], list[bool]]]:
    """Yield each run that has candidates, with these and whether each of them flips the prediction."""
    changes = [(run.column.name, value) for run, values in zip(runs, candidates, strict=True) for value in values]
    if not changes:
        return
    rows = {
        name: [value if name == changed else present for changed, value in changes]
        for name, present in features.items()
    }
    is_flipped = [str(prediction) != label for prediction in package.predict(rows)]
    at = 0
    for run, values in zip(runs, candidates, strict=True):
        if values:
            yield run, values, is_flipped[at : at + len(values)]
            at += len(values)


def _number_flip(run: _Run) -> Flip:
    if run.is_open:
        return Flip(run.column.name, "or more" if run.is_above else "or less", (run.flipped,))
    return Flip(run.column.name, "between", (run.flipped, run.far) if run.is_above else (run.far, run.flipped))


def _steps(column: Column, same: float, flipped: float) -> list[Any]:
    """Return values strictly between two, from the first to the second."""
    steps = np.linspace(same, flipped, _N_STEPS + 1)[1:-1].tolist()
    if column.kind != "integer":
        return [] if same == flipped else steps
    return [value for value in dict.fromkeys(round(step) for step in steps) if value not in (same, flipped)]


def _round_outward(same: float, flipped: float) -> float:
    """Return the flipping value with four digits, rounded away from the one that does not flip.

    Examples
    --------
    >>> _round_outward(13.409, 13.4112), _round_outward(0.5, -0.04321987), _round_outward(1.0, 0.0)
    (13.42, -0.04322, 0.0)
    """
    if flipped == 0:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(abs(flipped))) + 1 - _SIGNIFICANT_DIGITS)
    steps = math.ceil(flipped / step) if flipped > same else math.floor(flipped / step)
    return float(f"{steps * step:.{_SIGNIFICANT_DIGITS}g}")
