"""Compare logged rows with rows that somebody hands in, column by column and together."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pipeline.monitoring.drift.detection import detect_drift
from pipeline.monitoring.drift.domain_classifier import domain_auc
from pipeline.monitoring.log.bin_counts import count_frame
from pipeline.monitoring.log.log_batch import LogBatch
from pipeline.monitoring.log.sampling_weights import thin_to_equal_weight
from pipeline.package.reference import build_reference

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from pipeline.config.groups.monitoring_config import DriftConfig
    from pipeline.config.root_config import Config
    from pipeline.monitoring.drift.drift_report import DriftReport
    from pipeline.package import Package
    from pipeline.state import LoggedRow

__all__ = ["detect_drift_against_frame"]


def detect_drift_against_frame(
    logged_rows: Sequence[LoggedRow],
    package: Package,
    reference_frame: pd.DataFrame,
    config: Config,
    thresholds: DriftConfig,
) -> DriftReport:
    """Return the verdict on logged rows against `rows`, in bins that these fix, with the multivariate test."""
    import pandas as pd

    logged_rows = thin_to_equal_weight(logged_rows, seed=config.seed)
    live = LogBatch.from_rows(logged_rows, package).feature_values()
    schema = replace(
        package.schema,
        columns=tuple(
            one
            for one in package.schema.columns
            if one.name in reference_frame and one.store == "full" and one.name in live
        ),
    )
    empty = np.zeros(len(reference_frame))
    predicted = np.full(len(reference_frame), package.classes[0])
    reference = build_reference(
        reference_frame, schema, score=empty, predicted=predicted, n_bins=config.training.reference_bins
    )
    counts = count_frame(reference, live, n_rows=len(logged_rows))
    report = detect_drift(reference, counts, thresholds, min_rows=config.monitoring.min_rows)
    together = domain_auc(
        reference_frame,
        pd.DataFrame({one.name: live[one.name] for one in schema.features}),
        schema,
        thresholds.multivariate,
        min_rows=config.monitoring.min_rows,
        confidence_level=1 - thresholds.alpha,
        seed=config.seed,
    )
    return replace(report, multivariate=together)
