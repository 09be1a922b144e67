"""The log is as good as its database, and rows that are missing are named."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.production_status import DatabaseFacts, LogFacts
from pipeline.production_status.log_assessment import assess_log
from tests.pipeline.production_status.status_scenarios import NOW, known

_OK = DatabaseFacts("ok", "state.db", known())


@pytest.mark.parametrize(
    ("database", "log", "state", "condition", "words"),
    [
        (_OK, LogFacts("durable", 0), "healthy", "writable", "It can be written, last prediction 12 seconds ago"),
        (_OK, LogFacts(), "healthy", "writable", "last prediction"),
        (_OK, LogFacts("none"), "degraded", "disabled", "Predictions are not logged"),
        (_OK, LogFacts("durable", 3), "degraded", "incomplete", "3 predictions since the start of the server"),
        (DatabaseFacts("damaged"), LogFacts("durable"), "down", "damaged", "cannot be logged"),
        (DatabaseFacts("busy"), LogFacts("durable"), "degraded", "busy", "cannot be logged"),
        (DatabaseFacts("new", model=known()), LogFacts("durable"), "unknown", "new", "Unknown until"),
        (
            DatabaseFacts("ok", "x", known(last_prediction_at=None)),
            LogFacts("durable"),
            "healthy",
            "writable",
            "no prediction is logged yet",
        ),
    ],
)
def test_each_condition_of_the_log_has_its_state(
    database: Any, log: LogFacts, state: str, condition: str, words: str
) -> None:
    status = assess_log(database, log, NOW)
    assert (status.state, status.condition) == (state, condition)
    assert words in status.sentence
