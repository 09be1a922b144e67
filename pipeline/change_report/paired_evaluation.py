"""Compare the models of two snapshots on the same test rows: all rows, and each slice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline import files
from pipeline.evaluation import slice_rows
from pipeline.gates import score_with_both
from pipeline.metrics import METRICS, MetricEstimate, compare_paired, comparison_verdict, compute_metrics
from pipeline.project import paths

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.change_report.snapshots import ProjectSnapshot
    from pipeline.config.groups.evaluation_config import EvaluationConfig
    from pipeline.metrics import ComparisonVerdict, LabeledPredictions
    from pipeline.package import Package
    from pipeline.schema import Schema

__all__ = ["PairedEvaluation", "SliceChange", "evaluate_paired", "worse_slices"]


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


@dataclass(frozen=True, slots=True)
class PairedEvaluation:
    """Differences of all metrics, and the slices whose metric is worse: significant ones first, then by size."""

    differences: dict[str, MetricEstimate]
    worse_slices: tuple[SliceChange, ...]


def evaluate_paired(
    before: ProjectSnapshot,
    after: ProjectSnapshot,
    packages: tuple[Package | None, Package | None],
    config: EvaluationConfig,
) -> PairedEvaluation | None:
    """Return how the model after differs from that before; None if their test rows or classes differ."""
    old, new = packages
    test_md5 = before.output_md5(paths.TEST_ROWS)
    has_same_rows = test_md5 is not None and test_md5 == after.output_md5(paths.TEST_ROWS)
    if (
        old is None
        or new is None
        or not has_same_rows
        or any(not (after.folder / rows).is_file() for rows in (paths.TRAIN_ROWS, paths.TEST_ROWS))
    ):
        return None
    test = files.read_parquet(after.folder / paths.TEST_ROWS)
    scored = score_with_both(new, old, test, n_bins=config.calibration_bins)
    if scored is None:
        return None
    names = [name for name in config.metrics if name in METRICS]
    train = files.read_parquet(after.folder / paths.TRAIN_ROWS)
    return PairedEvaluation(
        compare_paired(*scored, names, confidence_level=config.confidence_level),
        worse_slices(scored, train, test, schema=new.schema, config=config),
    )


def worse_slices(
    scored: tuple[LabeledPredictions, LabeledPredictions],
    train: pd.DataFrame,
    test: pd.DataFrame,
    *,
    schema: Schema,
    config: EvaluationConfig,
) -> tuple[SliceChange, ...]:
    """Return the slices whose metric is worse: significant ones first, then by size.

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
    metric = METRICS[config.slices.metric]
    slices = [
        (column.name, value, inside)
        for column, value, inside in slice_rows(schema, train, test, n_quantiles=config.slices.quantiles)
        if inside.sum() >= config.slices.min_rows
    ]
    level = 1.0 - (1.0 - config.confidence_level) / max(len(slices), 1)
    changes = []
    for name, value, inside in slices:
        new, old = (rows.take(inside) for rows in scored)
        after, before = (compute_metrics(rows, [metric.name])[metric.name] for rows in (new, old))
        if metric.is_better(before, after):
            difference = compare_paired(new, old, [metric.name], confidence_level=level)[metric.name]
            changes.append(SliceChange(name, value, metric.name, int(inside.sum()), before, after, difference))
    return tuple(sorted(changes, key=lambda change: (change.verdict != "worse", -abs(change.after - change.before))))
