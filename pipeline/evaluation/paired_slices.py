"""Compare two models slice by slice on the same test rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.evaluation.slices import slice_rows
from pipeline.metrics import METRICS, MetricEstimate, compare_paired, comparison_verdict, compute_metrics

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.config.groups.evaluation_config import EvaluationConfig
    from pipeline.metrics import ComparisonVerdict, LabeledPredictions
    from pipeline.schema import Schema

__all__ = ["SliceChange", "compare_slices"]


@dataclass(frozen=True, slots=True)
class SliceChange:
    """The metric of one slice of the test rows, before and after.

    `difference` is after minus before on the same rows. The level of its interval is corrected for the number of
    slices (Bonferroni), because one of many would differ by chance.
    """

    column: str
    value: str
    metric: str
    n_rows: int
    before: float
    after: float
    difference: MetricEstimate

    @property
    def verdict(self) -> ComparisonVerdict:
        """`better`, `worse`, `equal`, `no significant difference` or `not compared`."""
        return comparison_verdict(self.difference, higher_is_better=METRICS[self.metric].higher_is_better)

    @property
    def is_worse(self) -> bool:
        """Whether the value is worse after, significantly or not."""
        return METRICS[self.metric].is_better(self.before, self.after)


def compare_slices(
    scored: tuple[LabeledPredictions, LabeledPredictions],
    train: pd.DataFrame,
    test: pd.DataFrame,
    *,
    schema: Schema,
    config: EvaluationConfig,
) -> tuple[SliceChange, ...]:
    """Return each slice with enough rows, in the order of the columns.

    Parameters
    ----------
    scored : pair of LabeledPredictions
        The rows of `test` scored by the model after, and by that before.
    train, test : DataFrame
        Quantiles are those of `train`, as in the report of the evaluation.
    schema : Schema
    config : EvaluationConfig
        `slices` and `confidence_level` are read.
    """
    name = METRICS[config.slices.metric].name
    slices = [
        (column.name, value, inside)
        for column, value, inside in slice_rows(schema, train, test, n_quantiles=config.slices.quantiles)
        if inside.sum() >= config.slices.min_rows
    ]
    level = 1.0 - (1.0 - config.confidence_level) / max(len(slices), 1)
    changes = []
    for column_name, value, inside in slices:
        new, old = (rows.take(inside) for rows in scored)
        after, before = (compute_metrics(rows, [name])[name] for rows in (new, old))
        difference = compare_paired(new, old, [name], confidence_level=level)[name]
        changes.append(SliceChange(column_name, value, name, int(inside.sum()), before, after, difference))
    return tuple(changes)
