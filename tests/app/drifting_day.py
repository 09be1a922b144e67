"""A day of logged predictions whose last two hours drift."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pipeline.files import read_parquet
from tests.pipeline.monitoring.log_fixtures import hours_us, production_package, write_log

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["log_drifting_day"]


def log_drifting_day(root: Path, *, n: int = 1_000) -> str:
    """Log `n` training rows over 18 hours, then half as many shifted rows; return the title of the shifted feature."""
    package, _ = production_package(root)
    column = next(feature for feature in package.schema.features if feature.is_numeric)
    stable = read_parquet(root / "data/train.parquet").sample(n, replace=True, random_state=0)
    shifted = stable.head(n // 2).assign(**{column.name: stable[column.name].max()})
    now = time.time_ns() // 1000
    write_log(root, stable.reset_index(drop=True), start=now - hours_us(20), stop=now - hours_us(2))
    write_log(root, shifted.reset_index(drop=True), start=now - hours_us(1.9), stop=now, prefix="shifted")
    return column.label
