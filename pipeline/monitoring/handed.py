"""Compare logged rows with rows that somebody hands in, column by column and together."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pipeline.monitoring.counting import count_window
from pipeline.monitoring.judging import find_drift
from pipeline.monitoring.logged import LoggedRows
from pipeline.monitoring.multivariate import domain_auc
from pipeline.monitoring.weighing import evenly
from pipeline.package.reference import build_reference

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from pipeline.config.groups.live import DriftConfig
    from pipeline.config.types import Config
    from pipeline.monitoring.findings import DriftReport
    from pipeline.package import Package
    from pipeline.state import CountedRow

__all__ = ["drift_from_rows"]


def drift_from_rows(
    logged: Sequence[CountedRow], package: Package, rows: pd.DataFrame, config: Config, limits: DriftConfig
) -> DriftReport:
    """Return the verdict on logged rows against `rows`, in bins that these fix, with the multivariate test."""
    import pandas as pd

    logged = evenly(logged, seed=config.seed)
    live = LoggedRows.of(logged, package).features()
    schema = replace(
        package.schema,
        columns=tuple(
            one for one in package.schema.columns if one.name in rows and one.store == "full" and one.name in live
        ),
    )
    empty = np.zeros(len(rows))
    predicted = np.full(len(rows), package.classes[0])
    reference = build_reference(rows, schema, score=empty, predicted=predicted, n_bins=config.training.reference_bins)
    counts = count_window(reference, live, n_rows=len(logged))
    report = find_drift(reference, counts, limits, min_rows=config.monitoring.min_rows)
    together = domain_auc(
        rows,
        pd.DataFrame({one.name: live[one.name] for one in schema.features}),
        schema,
        limits.multivariate,
        min_rows=config.monitoring.min_rows,
        confidence=1 - limits.alpha,
        seed=config.seed,
    )
    return replace(report, multivariate=together)
