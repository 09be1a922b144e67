"""Choose and apply one decision threshold for each group of a protected column.

Thresholds are plain numbers beside the package's own one: equal rows get equal predictions, without any chance.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from pipeline.fairness.protected_columns import group_by_words
from pipeline.metrics.metric_estimate import round_significant

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pipeline.config.groups.fairness_config import FairnessLimitConfig
    from pipeline.fairness.group_tallies import Grouping
    from pipeline.schema import Column

    Floats = NDArray[np.float64]

__all__ = ["GroupThresholds", "ThresholdSearch"]

_MAX_CANDIDATES = 500
_N_BANDS = 401


@dataclass(frozen=True, slots=True)
class GroupThresholds:
    """Decision thresholds by group of one column.

    Attributes
    ----------
    column : str
        A category or boolean feature.
    kind : str
        Its kind.
    categories : tuple of str
        Declared words of the column, none for a boolean column.
    thresholds : mapping of str to float
        Lowest probability that is predicted as positive, by group.
    default : float
        That of all other groups, such as an unseen word.
    """

    column: str
    kind: Literal["category", "boolean"]
    categories: tuple[str, ...]
    thresholds: Mapping[str, float] = field(default_factory=dict)
    default: float = 0.5

    def of_rows(self, rows: Any) -> Floats:
        """Return the threshold of each row, shape (n_rows,); `rows` maps the name of the column to its values."""
        return self.of_groups(group_by_words(self.column, self.kind, self.categories, rows[self.column]))

    def of_groups(self, grouping: Grouping) -> Floats:
        """Return the threshold of each row of a grouping, shape (n_rows,)."""
        by_group = np.array([self.thresholds.get(label, self.default) for label in grouping.labels])
        return np.asarray(by_group[grouping.codes])

    def as_dict(self) -> dict[str, Any]:
        """Return plain values from which `from_dict` builds equal thresholds."""
        return {
            "column": self.column,
            "kind": self.kind,
            "categories": list(self.categories),
            "thresholds": dict(self.thresholds),
            "default": self.default,
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Self:
        """Return the thresholds that `as_dict` wrote."""
        return cls(**{**value, "categories": tuple(value["categories"])})


@dataclass(frozen=True, slots=True)
class ThresholdSearch:
    """How thresholds are chosen: so that one rate of any two groups differs by at most a limit.

    Attributes
    ----------
    column : Column
    metric : str
        `selection_rate`, `true_positive_rate` or `false_positive_rate`.
    limit : FairnessLimitConfig
    min_rows : int
        Groups with fewer rows, or fewer rows of the class that the rate is of, keep the default.
    min_class_rows : int
    """

    column: Column
    metric: str
    limit: FairnessLimitConfig
    min_rows: int
    min_class_rows: int

    def choose(
        self, scores: Floats, is_positive: NDArray[np.bool_], grouping: Grouping, *, default: float
    ) -> GroupThresholds:
        """Return the thresholds with the least expected cost among those within the limit.

        The cost is that for which `default` is the best threshold of calibrated scores: a false positive costs
        `default`, a false negative `1 - default`. Equal inputs give equal thresholds. All stay at `default` where
        the limit holds already.

        Parameters
        ----------
        scores : float, shape (n_rows,)
            Calibrated out-of-fold probabilities of the positive class.
        is_positive : bool, shape (n_rows,)
        grouping : Grouping
            The groups of the rows.
        default : float
            The threshold without groups.
        """
        options = {}
        for code, label in enumerate(grouping.labels):
            inside = grouping.codes == code
            is_counted = self._counted(is_positive[inside])
            if inside.sum() >= self.min_rows and is_counted.sum() >= self.min_class_rows:
                options[label] = _Options.of_group(scores[inside], is_counted, default=default)
        kind: Literal["category", "boolean"] = "boolean" if self.column.kind == "boolean" else "category"
        return GroupThresholds(
            self.column.name, kind, self.column.categories, self._best(options, default), default=default
        )

    def _counted(self, is_positive: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which rows the rate is of."""
        if self.metric == "true_positive_rate":
            return is_positive
        return ~is_positive if self.metric == "false_positive_rate" else np.ones(len(is_positive), dtype=bool)

    def _best(self, options: Mapping[str, _Options], default: float) -> dict[str, float]:
        if len(options) < 2:
            return dict.fromkeys(options, default)
        unchanged = [option.rates[option.unchanged] for option in options.values()]
        if max(unchanged) <= self._highest(min(unchanged)):
            return dict.fromkeys(options, default)
        best_cost, best = np.inf, dict.fromkeys(options, default)
        for low in np.linspace(0.0, 1.0, _N_BANDS).tolist():
            picked = {name: option.cheapest(low, self._highest(low)) for name, option in options.items()}
            if any(at is None for at in picked.values()):
                continue
            cost = sum(float(options[name].costs[at]) for name, at in picked.items())
            if cost < best_cost - 1e-12:
                best_cost = cost
                best = {name: float(options[name].thresholds[at]) for name, at in picked.items()}
        return best

    def _highest(self, low: float) -> float:
        """Return the highest rate of a group where the lowest one is `low`."""
        if self.limit.min_ratio is not None:
            return low / self.limit.min_ratio
        return low + (0.0 if self.limit.max_gap is None else self.limit.max_gap)


@dataclass(frozen=True, slots=True)
class _Options:
    """Possible thresholds of one group with the rate and the cost of each; `unchanged` is the default's position."""

    thresholds: Floats
    rates: Floats
    costs: Floats
    unchanged: int

    @classmethod
    def of_group(cls, scores: Floats, is_counted: NDArray[np.bool_], *, default: float) -> _Options:
        distinct = np.unique(scores)
        middle = (distinct[:-1] + distinct[1:]) / 2.0  # a threshold that equals a score would split rows by a last bit
        if len(middle) > _MAX_CANDIDATES:
            middle = middle[np.linspace(0, len(middle) - 1, _MAX_CANDIDATES).round().astype(int)]
        rounded = [round_significant(float(value)) or 0.0 for value in middle]
        thresholds = np.unique(np.append([*rounded, 0.0, 1.0], default))
        ascending, counted = np.sort(scores), np.sort(scores[is_counted])
        rates = 1.0 - np.searchsorted(counted, thresholds, side="left") / max(len(counted), 1)
        n_below = np.searchsorted(ascending, thresholds, side="left")
        below = np.append(0.0, np.cumsum(ascending))[n_below]
        above = (len(ascending) - n_below) - (ascending.sum() - below)
        costs = default * above + (1.0 - default) * below
        return cls(thresholds, rates, costs, int(np.flatnonzero(thresholds == default)[0]))

    def cheapest(self, low: float, high: float) -> int | None:
        """Return the position of the cheapest threshold with a rate of `low` to `high`; None when there is none."""
        within = np.flatnonzero((self.rates >= low - 1e-12) & (self.rates <= high + 1e-12))
        return int(within[np.argmin(self.costs[within])]) if len(within) else None
