"""A day of logged predictions of which the last two hours moved."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pipeline.files import read_parquet
from tests.pipeline.monitoring.log_fixtures import hours_us, production_package, write_log

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["log_drifting_day"]


def log_drifting_day(root: Path, *, n: int = 1_000) -> str:
    """Log `n` rows of training over 18 hours and half as many moved ones after them; return the title of what moved."""
    package, _ = production_package(root)
    column = next(one for one in package.schema.features if one.is_numeric)
    calm = read_parquet(root / "data/train.parquet").sample(n, replace=True, random_state=0)
    moved = calm.head(n // 2).assign(**{column.name: calm[column.name].max()})
    now = time.time_ns() // 1000
    write_log(root, calm.reset_index(drop=True), start=now - hours_us(20), stop=now - hours_us(2))
    write_log(root, moved.reset_index(drop=True), start=now - hours_us(1.9), stop=now, prefix="moved")
    return column.label
