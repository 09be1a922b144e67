"""Detect drift of logged rows against a DataFrame, column by column and jointly."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pipeline.monitoring.drift.detection import DriftContext, detect_drift
from pipeline.monitoring.drift.domain_classifier import domain_auc
from pipeline.monitoring.log.bin_counts import count_frame
from pipeline.monitoring.log.log_batch import LogBatch
from pipeline.monitoring.log.sampling_weights import thin_to_equal_weight
from pipeline.package.reference import build_reference

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from pipeline.config.root_config import Config
    from pipeline.monitoring.drift.domain_classifier import DomainAuc
    from pipeline.monitoring.drift.drift_report import DriftReport
    from pipeline.monitoring.log.bin_counts import BinCounts
    from pipeline.package import Package
    from pipeline.schema import Schema
    from pipeline.state import LoggedRow

__all__ = ["detect_drift_against_frame", "joint_drift", "present_columns", "with_reference_problems"]


def detect_drift_against_frame(
    logged_rows: Sequence[LoggedRow],
    package: Package,
    reference_frame: pd.DataFrame,
    *,
    config: Config,
    importance: Mapping[str, float] | None = None,
) -> DriftReport:
    """Return the drift of logged rows against a frame, with the multivariate test.

    The rows of the frame define the bins. Columns that the log stores only in part are left out.

    Parameters
    ----------
    logged_rows : sequence of LoggedRow
        Rows of unequal weight are thinned to equal weight first.
    package : Package
        The package that made the predictions.
    reference_frame : DataFrame
        Rows with columns of the model.
    config : Config
    importance : mapping of column to number, optional
        Permutation importance of features.
    """
    import pandas as pd

    rows = thin_to_equal_weight(logged_rows, seed=config.seed)
    values = LogBatch.from_rows(rows, package).feature_values()
    columns = tuple(
        column
        for column in present_columns(package.schema, reference_frame).columns
        if column.store == "full" and column.name in values
    )
    schema = replace(package.schema, columns=columns)
    reference = build_reference(
        reference_frame,
        schema,
        score=np.zeros(len(reference_frame)),
        predicted=np.full(len(reference_frame), package.classes[0]),
        n_bins=config.training.reference_bins,
    )
    context = DriftContext.from_config(config, schema, importance=importance)
    counts = with_reference_problems(count_frame(reference, values, n_rows=len(rows)), package.schema, reference_frame)
    report = detect_drift(reference, counts, context)
    live_frame = pd.DataFrame({column.name: values[column.name] for column in schema.features})
    return replace(report, multivariate=joint_drift(reference_frame, live_frame, schema, config=config))


def present_columns(schema: Schema, reference_frame: pd.DataFrame) -> Schema:
    """Return the declaration of the columns that a frame has; its rows define the bins of no other."""
    return replace(schema, columns=tuple(column for column in schema.columns if column.name in reference_frame))


def with_reference_problems(counts: BinCounts, schema: Schema, reference_frame: pd.DataFrame) -> BinCounts:
    """Return counts that also list the features for which a frame cannot be the reference."""
    reason = "the reference rows have no such column"
    absent = {name: reason for name in schema.feature_names if name not in reference_frame}
    return replace(counts, problems={**counts.problems, **absent})


def joint_drift(reference_frame: pd.DataFrame, frame: pd.DataFrame, schema: Schema, *, config: Config) -> DomainAuc:
    """Return the multivariate test of the features of two frames; absent features are missing values."""
    names = list(schema.feature_names)
    return domain_auc(
        reference_frame.reindex(columns=names),
        frame.reindex(columns=names),
        schema,
        config=config.drift.multivariate,
        min_rows=config.monitoring.min_rows,
        confidence_level=1 - config.drift.alpha,
        seed=config.seed,
    )
