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
    from collections.abc import Sequence

    import pandas as pd

    from pipeline.config.root_config import Config
    from pipeline.monitoring.drift.drift_report import DriftReport
    from pipeline.package import Package
    from pipeline.state import LoggedRow

__all__ = ["detect_drift_against_frame"]


def detect_drift_against_frame(
    logged_rows: Sequence[LoggedRow], package: Package, reference_frame: pd.DataFrame, *, config: Config
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
    """
    import pandas as pd

    rows = thin_to_equal_weight(logged_rows, seed=config.seed)
    values = LogBatch.from_rows(rows, package).feature_values()
    columns = tuple(
        column
        for column in package.schema.columns
        if column.name in reference_frame and column.store == "full" and column.name in values
    )
    schema = replace(package.schema, columns=columns)
    reference = build_reference(
        reference_frame,
        schema,
        score=np.zeros(len(reference_frame)),
        predicted=np.full(len(reference_frame), package.classes[0]),
        n_bins=config.training.reference_bins,
    )
    context = DriftContext(config.drift, config.monitoring.min_rows)
    report = detect_drift(reference, count_frame(reference, values, n_rows=len(rows)), context)
    multivariate = domain_auc(
        reference_frame,
        pd.DataFrame({column.name: values[column.name] for column in schema.features}),
        schema,
        config=config.drift.multivariate,
        min_rows=config.monitoring.min_rows,
        confidence_level=1 - config.drift.alpha,
        seed=config.seed,
    )
    return replace(report, multivariate=multivariate)
