"""Reduce differences between groups while a classifier is trained: by row weights, or by a threshold for each group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from pipeline.fairness import (
    ThresholdSearch,
    check_fairness,
    group_by_words,
    independence_weights,
)

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.config.groups.fairness_config import FairnessConfig
    from pipeline.fairness import Grouping, GroupThresholds
    from pipeline.schema import Column, Schema

    Floats = NDArray[np.float64]

__all__ = ["MitigatedRows", "Mitigation"]


@dataclass(frozen=True, slots=True)
class Mitigation:
    """The declared mitigation of one protected column.

    Attributes
    ----------
    config : FairnessConfig
        With a mitigation of kind `reweigh` or `thresholds`.
    column : Column
        The protected column.
    schema : Schema
    """

    config: FairnessConfig
    column: Column
    schema: Schema

    @classmethod
    def from_config(cls, config: FairnessConfig | None, schema: Schema) -> Self | None:
        """Return the declared mitigation, None where there is none.

        Raises
        ------
        ConfigError
            When the settings name a column that cannot be used.
        """
        if config is None or config.mitigation.kind == "none" or config.mitigation.column is None:
            return None
        check_fairness(config, schema)
        return cls(config, schema.column(config.mitigation.column), schema)

    @property
    def uses_weights(self) -> bool:
        """Whether rows are weighted at training."""
        return self.config.mitigation.kind == "reweigh"

    @property
    def uses_thresholds(self) -> bool:
        """Whether each group gets its own threshold."""
        return self.config.mitigation.kind == "thresholds"

    def grouping(self, frame: pd.DataFrame) -> Grouping:
        """Return the groups of the rows of `frame`."""
        return group_by_words(self.column.name, self.column.kind, self.column.categories, frame[self.column.name])

    def row_weights(self, frame: pd.DataFrame) -> Floats | None:
        """Return a weight for each row of `frame`, which has the target; None where the mitigation uses none."""
        if not self.uses_weights:
            return None
        target = self.schema.target
        classes = group_by_words(target.column, "category", target.classes, frame[target.column])
        return independence_weights(self.grouping(frame).codes, classes.codes)

    def choose_thresholds(
        self, scores: Floats, codes: NDArray[np.int64], grouping: Grouping, *, default: float | None
    ) -> GroupThresholds | None:
        """Return the thresholds of groups, chosen on out-of-fold scores; None where the mitigation uses none."""
        target, metric = self.schema.target, self.config.mitigation.metric
        if not self.uses_thresholds or metric is None or default is None or target.positive is None:
            return None
        search = ThresholdSearch(
            self.column, metric, self.config.metrics[metric], self.config.min_rows, self.config.min_class_rows
        )
        positive = target.classes.index(target.positive)
        return search.choose(scores[:, positive], codes == positive, grouping, default=default)


@dataclass(frozen=True, slots=True)
class MitigatedRows:
    """The train rows of a mitigation: their groups and classes, for thresholds that out-of-fold scores choose."""

    mitigation: Mitigation
    groups: Grouping
    codes: NDArray[np.int64]

    def choose_thresholds(
        self, scores: Floats, rows: NDArray[np.bool_] | slice, *, default: float | None
    ) -> GroupThresholds | None:
        """Return the thresholds that `scores` of some rows choose; None where the mitigation uses none."""
        return self.mitigation.choose_thresholds(scores, self.codes[rows], self.groups.take(rows), default=default)

    def cross_thresholds(
        self, outside: Floats, inside: NDArray[np.bool_], *, default: float | None
    ) -> float | Floats | None:
        """Return the threshold of each row of a fold, chosen by the scores `outside` of it."""
        chosen = self.choose_thresholds(outside, ~inside, default=default)
        return default if chosen is None else chosen.of_groups(self.groups.take(inside))
