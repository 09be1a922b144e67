"""Choose one of several configurations that a race left: the simplest within one standard error of the best."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from pipeline.selection.fold_race import find_leader, paired_difference

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["SelectionRule", "choose_configuration"]

SelectionRule = Literal["one_standard_error", "best"]


def choose_configuration(
    losses: dict[int, NDArray[np.float64]], complexity: Mapping[int, float | None], rule: SelectionRule
) -> int:
    """Return the chosen configuration.

    Parameters
    ----------
    losses : dict of int to float, shape (n_rows,)
        Losses of each configuration on the same rows.
    complexity : mapping of int to float or None
        Of each configuration; None counts as the most complex.
    rule : "one_standard_error" or "best"
        The simplest configuration whose mean loss is at most one standard error above the lowest, or the lowest.

    Notes
    -----
    The standard error is that of the paired difference from the best configuration. The standard error of the mean
    loss, which the rule usually takes, is many times larger, because it contains how rows differ from each other.
    """
    leader = find_leader(losses)
    if rule == "best":
        return leader
    near = [number for number, values in losses.items() if not paired_difference(values, losses[leader]).is_beyond(1.0)]

    def simplicity(number: int) -> tuple[float, float, int]:
        size = complexity[number]
        return (math.inf if size is None else size, float(losses[number].mean()), number)

    return min(near, key=simplicity)
