"""Measure the distance of two distributions from their counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["jensen_shannon"]


def jensen_shannon(reference: NDArray[np.float64], current: NDArray[np.float64]) -> float:
    """Return the Jensen-Shannon distance of two rows of counts (Lin 1991; Endres and Schindelin 2003).

    Returns
    -------
    float, 0 to 1
        Base 2; 0 when the shares agree, 1 when no bin is used by both.
    """
    p, q = reference / max(reference.sum(), 1), current / max(current.sum(), 1)
    middle = (p + q) / 2
    divergence = (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2
    return float(np.sqrt(max(divergence, 0.0)))


def _relative_entropy(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    is_present = p > 0
    return float((p[is_present] * np.log2(p[is_present] / q[is_present])).sum())
