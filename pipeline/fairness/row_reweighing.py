"""Weigh rows so that group and class are independent in the weighted rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["independence_weights"]


def independence_weights(groups: NDArray[np.integer[Any]], codes: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    """Return the weight P(group) P(class) / P(group, class) of each row (Kamiran and Calders 2012).

    The weights of each group and of each class have the sums that their rows had.

    Parameters
    ----------
    groups, codes : int, shape (n_rows,)
        Group and class of each row.
    """
    n_groups, n_classes = int(groups.max(initial=0)) + 1, int(codes.max(initial=0)) + 1
    table = np.bincount(groups * n_classes + codes, minlength=n_groups * n_classes).reshape(n_groups, n_classes)
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / max(int(table.sum()), 1)
    return np.asarray((expected / np.maximum(table, 1))[groups, codes], dtype=np.float64)
