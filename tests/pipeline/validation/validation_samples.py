"""A small declaration with numbers and texts, and the statistics of frames of it."""

from __future__ import annotations

from typing import Any

import pandas as pd

from pipeline.schema import Column, Schema, Target
from pipeline.validation.arrow_rows import open_rows
from pipeline.validation.dataset_stats import DatasetStats, collect_stats
from tests.fixtures.toy_dataset import settings as shipped

TARGET = Target("outcome", ("no", "yes"), "yes")
LIMITS = shipped().validation
SCHEMA = Schema(
    "made",
    (
        Column("size", "float", "Float64", nullable=True),
        Column("count", "integer", "Int64", nullable=True),
        Column("text", "text", "string", nullable=True),
    ),
    TARGET,
)


def stats_of(**columns: Any) -> DatasetStats:
    n = len(next(iter(columns.values())))
    frame = pd.DataFrame({"size": 0.5, "count": 1, "text": "a", "outcome": ["no", "yes"] * (n // 2) + ["no"] * (n % 2)})
    return collect_stats(open_rows(frame.assign(**columns), SCHEMA), SCHEMA)
