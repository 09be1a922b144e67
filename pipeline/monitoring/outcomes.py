"""Judge logged predictions by the outcomes that have arrived, and by what their probabilities promise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.monitoring.performance import (
    ESTIMABLE,
    Cells,
    Performance,
    expected_performance,
    measured_performance,
)
from pipeline.monitoring.rollups import LoggedRows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.config.groups.live import MonitoringConfig
    from pipeline.package import Package

__all__ = ["judge_rows"]


def judge_rows(
    rows: Sequence[Any], package: Package, config: MonitoringConfig, *, seed: int
) -> tuple[Performance, Performance]:
    """Return measured and expected performance of rows that one package gave.

    Parameters
    ----------
    rows : sequence of rows of the log, each with `outcome`
        None, or a word that is no class, counts as not known.
    package : Package
    config : MonitoringConfig
        `confidence` and `draws` are read.
    seed : int
    """
    target = package.schema.target
    positive = target.classes.index(target.positive) if target.is_binary and target.positive is not None else None
    how: dict[str, Any] = {"confidence": config.confidence, "draws": config.draws, "seed": seed}
    codes = {name: code for code, name in enumerate(target.classes)}
    probabilities = LoggedRows(rows, package).probabilities()
    said = np.array([codes[row.prediction] for row in rows], dtype=np.int64)
    is_known = np.array([row.outcome in codes for row in rows], dtype=bool)
    y = np.array([codes[row.outcome] for row in rows if row.outcome in codes], dtype=np.int64)
    known = Cells.from_rows(probabilities[is_known], said[is_known], positive=positive, outcomes=y)
    everything = Cells.from_rows(probabilities, said, positive=positive)
    measured = measured_performance(known, ESTIMABLE, n_rows=len(rows), **how)
    return measured, expected_performance(everything, ESTIMABLE, **how)
