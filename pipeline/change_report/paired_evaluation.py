"""Compare the models of two snapshots on the same test rows: all rows, and each slice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline import files
from pipeline.evaluation import compare_slices
from pipeline.gates import score_with_both
from pipeline.metrics import METRICS, compare_paired
from pipeline.project import paths

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.change_report.snapshots import ProjectSnapshot
    from pipeline.config.groups.evaluation_config import EvaluationConfig
    from pipeline.evaluation import SliceChange
    from pipeline.metrics import LabeledPredictions, MetricEstimate
    from pipeline.package import Package
    from pipeline.schema import Schema

__all__ = ["PairedEvaluation", "evaluate_paired", "worse_slices"]


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

    Parameters are those of `compare_slices`.
    """
    changes = (
        change for change in compare_slices(scored, train, test, schema=schema, config=config) if change.is_worse
    )
    return tuple(sorted(changes, key=lambda change: (change.verdict != "worse", -abs(change.after - change.before))))
