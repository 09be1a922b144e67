"""A sampled log of known rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.state import HOUR_US
from tests.pipeline.monitoring.log_fixtures import (
    NOW,
    hours_us,
    live_rows,
    production_package,
    write_log,
    write_outcomes,
)

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd


N_ROWS = 3_000


@pytest.fixture
def logged(project: Path) -> pd.DataFrame:
    """Log a sample: of the first half 30 %, of the others an eighth; every second row has an outcome."""
    package, _ = production_package(project)
    frame = live_rows(N_ROWS, seed=3)
    weights = np.where(np.arange(N_ROWS) < N_ROWS // 2, 1 / 0.3, 8.0)
    ids = write_log(project, frame, start=NOW - hours_us(30), stop=NOW, weights=weights.tolist())
    at = np.linspace(NOW - hours_us(30), NOW, N_ROWS, endpoint=False).astype(np.int64)
    probabilities = package.predict_proba(frame)
    target = package.schema.target
    truth = frame[target.column].astype(str).to_numpy()
    write_outcomes(project, [(ids[i], truth[i]) for i in range(0, N_ROWS, 2)])
    return frame.assign(
        at=at,
        hour=at - at % HOUR_US,
        weight=weights,
        predicted=package.predict(frame),
        truth=truth,
        confidence=probabilities.max(axis=1),
        score=probabilities[:, target.classes.index(target.positive)],
        is_known=np.arange(N_ROWS) % 2 == 0,
    )
