"""Round to float32, the numbers of every matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FLOAT32_MAX", "nearest_float32", "round_to_float32"]

FLOAT32_MAX = float(np.finfo(np.float32).max)


def nearest_float32(value: float) -> float:
    """Return the nearest float32, whose decimal form JSON and YAML carry without loss."""
    return float(np.float32(np.clip(value, -FLOAT32_MAX, FLOAT32_MAX)))


def round_to_float32(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `numbers` rounded to float32, still as float64 for exact sums."""
    return np.asarray(np.clip(numbers, -FLOAT32_MAX, FLOAT32_MAX).astype(np.float32).astype(np.float64))
