"""References and windows of a few columns, for the tests beside this file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pipeline.monitoring import BinCounts, DriftContext, DriftReport, count_frame, detect_drift
from pipeline.package.reference import build_reference
from pipeline.schema import Column, Schema, Target
from tests.fixtures.toy_dataset import settings

if TYPE_CHECKING:
    from pipeline.package import Reference

SCHEMA = Schema(
    "three",
    (
        Column("size", "float", "Float64", nullable=True),
        Column("visits", "integer", "Int64", nullable=True),
        Column("plan", "category", "category", nullable=True, categories=("basic", "plus", "pro")),
    ),
    Target("y", ("no", "yes"), "yes"),
)
CONFIG = settings().drift
CONTEXT = DriftContext(CONFIG, min_rows=200)
N_ROWS = 10_000


def sample_rows(n: int, seed: int, *, shift: float = 0.0, missing: float = 0.06) -> pd.DataFrame:
    """Return rows of the three columns; `shift` adds standard deviations to `size`, `missing` is its missing share."""
    rng = np.random.default_rng(seed)
    size = rng.normal(loc=shift, size=n)
    size[rng.random(n) < missing] = np.nan
    return pd.DataFrame(
        {
            "size": size,
            "visits": pd.Series(rng.integers(0, 12, n), dtype="Int64"),
            "plan": pd.Series(rng.choice(["basic", "plus", "pro"], n, p=[0.6, 0.3, 0.1]), dtype="string"),
        }
    )


def make_reference(frame: pd.DataFrame | None = None, schema: Schema = SCHEMA) -> Reference:
    """Return the reference of training rows with uniform scores and a threshold of 0.5."""
    frame = sample_rows(N_ROWS, 0) if frame is None else frame
    score = np.random.default_rng(1).random(len(frame))
    return build_reference(
        frame, schema, score=score, predicted=np.where(score < 0.5, "no", "yes"), n_bins=10, threshold=0.5
    )


def count_rows(reference: Reference, frame: pd.DataFrame) -> BinCounts:
    """Return the counts of rows without predictions."""
    return count_frame(reference, frame, n_rows=len(frame))


def detect(frame: pd.DataFrame, reference: Reference | None = None, *, context: DriftContext = CONTEXT) -> DriftReport:
    """Return the drift of rows, against the usual reference when none is given."""
    reference = make_reference() if reference is None else reference
    return detect_drift(reference, count_rows(reference, frame), context)
