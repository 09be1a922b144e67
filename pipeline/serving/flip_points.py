"""Find the values of one feature at which the predicted class flips, closer than the values that what-if tries."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.package import Package
    from pipeline.schema import Column
    from pipeline.serving.what_if import WhatIf

__all__ = ["Flip", "find_flips"]

_N_STEPS = 32
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


@dataclass(frozen=True, slots=True)
class _Run:
    """Neighboring tried numbers that flip, the number before them on the side of the row, and what bounds them."""

    near: float
    neighbor: float
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
    flips: list[Flip] = []
    for name, group in groupby(variations, key=lambda variation: variation.feature):
        tried = list(group)
        column = package.schema.column(name)
        if column.is_numeric and features.get(name) is not None:
            numbers = [variation for variation in tried if variation.raw is not None]
            flips += [
                _refine_run(package, features, column, run, label=label)
                for run in _nearest_runs(numbers, features[name], label)
            ]
            tried = [variation for variation in tried if variation.raw is None]
        words = [variation.value for variation in tried if variation.prediction != label]
        if words:
            flips.append(Flip(name, "words", tuple(words[:_MAX_WORDS]), max(len(words) - _MAX_WORDS, 0)))
    return tuple(flips)


def _nearest_runs(numbers: Sequence[WhatIf], present: float, label: str) -> list[_Run]:
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
        runs.append(_Run(near, side[start].raw, side[end - 1].raw, is_above, end == len(side)))
    return runs


def _refine_run(package: Package, features: Mapping[str, Any], column: Column, run: _Run, *, label: str) -> Flip:
    same, flipped = run.near, run.neighbor
    for _ in range(2):
        candidates = _steps(column, same, flipped)
        if not candidates:
            break
        rows = {
            name: candidates if name == column.name else [value] * len(candidates) for name, value in features.items()
        }
        is_flipped = [str(prediction) != label for prediction in package.predict(rows)]
        at = is_flipped.index(True) if True in is_flipped else len(candidates)
        same, flipped = [same, *candidates][at], [*candidates, flipped][at]
    bound = flipped
    if column.kind != "integer":
        rounded = _round_outward(same, flipped)
        row = {name: [rounded if name == column.name else value] for name, value in features.items()}
        bound = flipped if str(package.predict(row)[0]) == label else rounded
    if run.is_open:
        return Flip(column.name, "or more" if run.is_above else "or less", (bound,))
    return Flip(column.name, "between", (bound, run.far) if run.is_above else (run.far, bound))


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
