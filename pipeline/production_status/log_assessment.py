"""Assess the prediction log: whether it can be written, when it was written last, and whether rows are missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pipeline.production_status.component_status import ComponentStatus
from pipeline.text import format_age, pluralize

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.production_status.component_status import HealthState
    from pipeline.production_status.state_facts import DatabaseCondition, DatabaseFacts

__all__ = ["UNKNOWN_LOG", "LogFacts", "assess_log"]

_STATE_BY_CONDITION: Mapping[DatabaseCondition, HealthState] = {
    "new": "unknown",
    "not_allowed": "unknown",
    "busy": "degraded",
}


@dataclass(frozen=True, slots=True)
class LogFacts:
    """How predictions are logged.

    Attributes
    ----------
    mode : str or None
        `serving.log.mode`; None if it is unknown.
    n_unlogged : int or None
        Predictions since the start of a server that were made and not logged; None if no server counts them.
    """

    mode: Literal["durable", "none"] | None = None
    n_unlogged: int | None = None


UNKNOWN_LOG = LogFacts()


def assess_log(database: DatabaseFacts, facts: LogFacts, now: int) -> ComponentStatus:
    """Return whether each prediction can be logged; the log is a table of the state database."""
    known = database.model
    if database.condition not in ("ok", "without_versions") or known is None:
        state = _STATE_BY_CONDITION.get(database.condition, "down")
        sentence = "Predictions cannot be logged: see the state database"
        if state == "unknown":
            sentence = "Unknown until the state database can be read"
        # The database is named by its own clause.
        return ComponentStatus("log", state, database.condition, state, sentence, "see the state database")
    last = "no prediction is logged yet"
    if known.last_prediction_at is not None:
        last = f"last prediction {format_age(known.last_prediction_at, now)}"
    if facts.mode == "none":
        sentence = f"Predictions are not logged (`serving.log.mode: none`), {last}"
        next_step = "set `serving.log.mode` to `durable`, so that production can be monitored"
        return ComponentStatus(
            "log", "degraded", "disabled", "disabled", sentence, next_step, "prediction log disabled"
        )
    if facts.n_unlogged:
        missing = pluralize(facts.n_unlogged, "prediction")
        sentence = f"{missing} since the start of the server could not be logged, {last}"
        next_step, clause = "read the log of the server", f"{missing} not logged"
        return ComponentStatus("log", "degraded", "incomplete", "incomplete", sentence, next_step, clause)
    return ComponentStatus("log", "healthy", "writable", "ok", f"It can be written, {last}", clause="prediction log ok")
