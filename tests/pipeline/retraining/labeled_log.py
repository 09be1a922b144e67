"""A prediction log with outcomes of known callers, for the tests beside this file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline import state as store
from pipeline.config.groups.data_config import DataConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.state import State

DAY = store.DAY_US
START = 20_000 * DAY  # 2024-10-04
MODEL = "people_model"
CLASSES = ("no", "yes")


@dataclass(frozen=True)
class Logged:
    """One prediction of the log: its features, when it was made, and where it came from."""

    number: int
    city: str | None = "Ulm"
    at: int = START
    source: str = "api"
    weight: float = 1.0
    model: str = MODEL
    subject: str | None = None


def problem(source: dict[str, Any] | None = None, **columns: dict[str, Any]) -> DataConfig:
    """Return a problem with a number, a city and an optional day; `columns` replaces or adds declarations."""
    declared = {
        "number": {"dtype": "Int64"},
        "city": {"dtype": "category", "nullable": True, "checks": {"isin": ["Bonn", "Ulm"]}},
        **columns,
    }
    return DataConfig.model_validate_json(
        json.dumps(
            {
                "name": "people",
                "source": source or {"kind": "csv", "path": "data/external/people.csv"},
                "target": {"column": "outcome", "classes": CLASSES, "positive": "yes"},
                "columns": declared,
                "split": {"kind": "by_hash", "test_share": 0.5},
            }
        )
    )


def write_predictions(state: State, logged: Sequence[Logged]) -> None:
    """Log predictions `p0`, `p1`, ... in this order."""
    empty = store.PredictionRow(
        "", 0, MODEL, 1, "d" * 64, 1, "", "no", "{}", 0.5, "production", "champion", "api", 1, 1.0, None, None
    )
    rows = [
        empty._replace(
            prediction_id=f"p{at}",
            predicted_at=row.at,
            model=row.model,
            features=json.dumps({"number": row.number, "city": row.city}),
            source=row.source,
            weight=row.weight,
            subject=row.subject,
        )
        for at, row in enumerate(logged)
    ]
    writer = store.PredictionWriter(state)
    writer.write(rows)
    writer.close()


def write_outcomes(state: State, *outcomes: tuple[str, str, str]) -> None:
    """Store outcomes in this order, each as prediction, outcome and caller."""
    with state.writing() as connection:
        for prediction_id, outcome, caller in outcomes:
            store.add_outcomes(connection, [(prediction_id, START, outcome, "crm")], caller=caller)
