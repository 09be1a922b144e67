"""A day of logged predictions whose last two hours drift and are wrong more often."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from sqlalchemy import select

from pipeline import state as store
from pipeline.files import read_parquet
from pipeline.state.tables import predictions
from tests.pipeline.monitoring.log_fixtures import hours_us, production_package, write_log

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["log_drifting_day"]

_SHIFTED = "shifted"
_COVERAGE, _ERROR_RATE, _SHIFTED_ERROR_RATE = 0.7, 0.035, 0.16


def log_drifting_day(root: Path, *, n: int = 1_000, has_outcomes: bool = False) -> str:
    """Log `n` training rows over 18 hours, then half as many shifted rows; `has_outcomes` adds those of most of them.

    Returns
    -------
    str
        The label of the shifted feature.
    """
    package, _ = production_package(root)
    column = next(feature for feature in package.schema.features if feature.is_numeric)
    stable = read_parquet(root / "data/train.parquet").sample(n, replace=True, random_state=0)
    shifted = stable.head(n // 2).assign(**{column.name: stable[column.name].max()})
    now = time.time_ns() // 1000
    write_log(root, stable.reset_index(drop=True), start=now - hours_us(20), stop=now - hours_us(2))
    write_log(root, shifted.reset_index(drop=True), start=now - hours_us(1.9), stop=now, prefix=_SHIFTED)
    if has_outcomes:
        _record_outcomes(root, package.classes, now)
    return column.label


def _record_outcomes(root: Path, classes: tuple[str, ...], now: int) -> None:
    draws = random.Random(0)
    state = store.open_state(root)
    columns = predictions.c
    with state.writing() as connection:
        query = select(columns.prediction_id, columns.prediction, columns.predicted_at).order_by(columns.seq)
        rows = []
        for identifier, predicted, at in connection.execute(query):
            if draws.random() > _COVERAGE:
                continue
            error_rate = _SHIFTED_ERROR_RATE if identifier.startswith(_SHIFTED) else _ERROR_RATE
            is_wrong = draws.random() < error_rate
            outcome = next(name for name in classes if name != predicted) if is_wrong else predicted
            rows.append((identifier, min(at + hours_us(0.1), now), outcome, "review"))
        store.add_outcomes(connection, rows)
    state.close()
