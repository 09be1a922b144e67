"""Choose how many trees a boosted model gets: by the log loss of its stages on rows that it was not fitted to.

`max_iter: auto` in a model file asks for it. The count stays at `FIRST_ROUNDS` unless another one is better beyond
chance and by a share that matters, so a table on which the counts are equally good gets the same model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.config.groups.model_config import ModelConfig

    Floats = NDArray[np.float64]

__all__ = ["FIRST_ROUNDS", "RoundsCurve", "chooses_rounds", "first_stages", "later_stages", "with_rounds"]

FIRST_ROUNDS = 100
_FIRST_STAGES = (20, 30, 40, 50, 60, 80, FIRST_ROUNDS)
_LATER_STAGES = (FIRST_ROUNDS, 130, 160, 200, 250, 300, 350, 400)
_N_STANDARD_ERRORS = 2.0
_MIN_GAIN = 0.004  # share of the loss that another number of trees must save
_MIN_LAST_GAIN = 0.015  # a last step that saves less leaves little to the steps after it
_SMALLEST_PROBABILITY = 1e-15


def chooses_rounds(model: ModelConfig) -> bool:
    """Return whether the model file leaves the number of trees to the cross-validation."""
    return model.estimator.get("max_iter") == "auto"


def with_rounds(model: ModelConfig, n_rounds: int) -> ModelConfig:
    """Return the model with a number of trees in place of `auto`."""
    return model.model_copy(update={"estimator": {**model.estimator, "max_iter": n_rounds}})


def first_stages() -> tuple[int, ...]:
    """Return the numbers of trees that the first fit of each fold is scored at."""
    return _FIRST_STAGES


def later_stages() -> tuple[int, ...]:
    """Return the numbers of trees of the second fit, made where the first still improves at its end."""
    return _LATER_STAGES


@dataclass(frozen=True, slots=True)
class RoundsCurve:
    """Out-of-fold probabilities at several numbers of trees.

    Attributes
    ----------
    stages : tuple of int
        Numbers of trees, ascending; one is `FIRST_ROUNDS`.
    probabilities : float, shape (n_stages, n_rows, n_classes)
    losses : float, shape (n_stages, n_rows)
        Log loss of each row, times its weight.
    """

    stages: tuple[int, ...]
    probabilities: Floats
    losses: Floats

    @classmethod
    def from_probabilities(
        cls, stages: tuple[int, ...], probabilities: Floats, codes: NDArray[np.int64], *, weights: Floats | None = None
    ) -> RoundsCurve:
        """Return the curve of probabilities of rows whose true classes are `codes`; `weights` have a mean of 1."""
        of_true_class = probabilities[:, np.arange(len(codes)), codes]
        losses = -np.log(np.maximum(of_true_class, _SMALLEST_PROBABILITY))
        return cls(stages, probabilities, losses if weights is None else losses * weights)

    def still_improves(self) -> bool:
        """Return whether the last stage is the best, and better than the one before it beyond chance."""
        is_last = int(self.losses.mean(axis=1).argmin()) == len(self.stages) - 1
        return is_last and _is_lower(self.losses[-1], self.losses[-2], min_gain=_MIN_LAST_GAIN)

    def best_rounds(self, rows: NDArray[np.bool_] | None = None) -> int:
        """Return the number of trees with the lowest mean log loss, or `FIRST_ROUNDS` if chance explains its lead.

        Parameters
        ----------
        rows : bool, shape (n_rows,), optional
            The rows that decide; all of them by default.
        """
        losses = self.losses if rows is None else self.losses[:, rows]
        first = losses[self.stages.index(FIRST_ROUNDS)]
        best = int(losses.mean(axis=1).argmin())
        return self.stages[best] if _is_lower(losses[best], first, min_gain=_MIN_GAIN) else FIRST_ROUNDS

    def cross_chosen(self, fold_of: NDArray[np.intp]) -> Floats:
        """Return the probabilities of each fold at the number of trees that the rows of the other folds choose."""
        chosen = np.empty(self.probabilities.shape[1:])
        for fold in range(int(fold_of.max()) + 1):
            inside = fold_of == fold
            chosen[inside] = self.probabilities[self.stages.index(self.best_rounds(~inside)), inside]
        return chosen


def _is_lower(losses: Floats, others: Floats, *, min_gain: float) -> bool:
    """Return whether the mean of paired losses is lower by two standard errors and by a share of the others' mean."""
    gains = others - losses
    if len(gains) < 2:
        return False
    standard_error = gains.std(ddof=1) / np.sqrt(len(gains))
    return bool(gains.mean() > max(_N_STANDARD_ERRORS * standard_error, min_gain * others.mean()))
