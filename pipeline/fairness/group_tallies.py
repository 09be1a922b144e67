"""Divide rows into groups, and count what each metric of a group needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.metrics import LabeledPredictions

__all__ = ["GroupTallies", "Grouping"]


@dataclass(frozen=True, slots=True)
class Grouping:
    """The group of each row.

    Attributes
    ----------
    columns : tuple of str
        One protected column, or the two of a pair.
    labels : tuple of str
        Names of the groups, with those that no row belongs to.
    codes : int, shape (n_rows,)
        Position of each row's group in `labels`; -1 where it is unknown.
    """

    columns: tuple[str, ...]
    labels: tuple[str, ...]
    codes: NDArray[np.integer[Any]]

    def crossed(self, other: Grouping) -> Grouping:
        """Return the groups of rows that share a group here and in `other`."""
        labels = tuple(f"{mine} and {theirs}" for mine in self.labels for theirs in other.labels)
        is_known = (self.codes >= 0) & (other.codes >= 0)
        codes = np.where(is_known, self.codes * len(other.labels) + other.codes, -1)
        return Grouping((*self.columns, *other.columns), labels, codes)

    def take(self, rows: NDArray[Any] | slice) -> Grouping:
        """Return the grouping of some rows, by mask or positions."""
        return Grouping(self.columns, self.labels, self.codes[rows])


@dataclass(frozen=True, slots=True)
class GroupTallies:
    """Counts of the rows of each group.

    Attributes
    ----------
    columns, labels : tuple of str
        As in `Grouping`.
    confusion : shape (n_groups, n_classes, n_classes)
        Rows by group, true class and predicted class. Fractions where rows have weights.
    loss_sums : float, shape (n_groups, 2), or None
        Sum of the log losses and of their squares; None where the losses of rows are unknown.
    """

    columns: tuple[str, ...]
    labels: tuple[str, ...]
    confusion: NDArray[Any]
    loss_sums: NDArray[np.float64] | None = None

    @classmethod
    def from_rows(cls, grouping: Grouping, scored: LabeledPredictions) -> GroupTallies:
        """Count scored rows.

        Raises
        ------
        DataError
            When the grouping has another number of rows.
        """
        if len(grouping.codes) != scored.n_rows:
            raise DataError(
                f"{' and '.join(grouping.columns)}: {len(grouping.codes)} rows have a group; expected {scored.n_rows}"
            )
        n_groups, k = len(grouping.labels), scored.n_classes
        places = (grouping.codes.astype(np.int64) * k + scored.y) * k + scored.predicted
        confusion = np.bincount(places, minlength=n_groups * k * k).reshape(n_groups, k, k)
        losses = scored.of_true_class(scored.log_losses)
        sums = [np.bincount(grouping.codes, weights=values, minlength=n_groups) for values in (losses, losses**2)]
        return cls(grouping.columns, grouping.labels, confusion, np.column_stack(sums))

    @property
    def n_rows(self) -> NDArray[Any]:
        """Rows of each group, shape (n_groups,)."""
        return np.asarray(self.confusion.sum(axis=(1, 2)))
