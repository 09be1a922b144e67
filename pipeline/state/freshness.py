"""Read the moments of a model's last prediction, last outcome and last deployment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from pipeline.state.tables import deployments, outcomes, predictions

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["Freshness", "last_prediction_from", "read_freshness"]

_N_SEARCHED_ROWS = 10_000  # the newest ones, by their index; a search of the whole log would take seconds


@dataclass(frozen=True, slots=True)
class Freshness:
    """Moments of the last prediction, outcome and deployment in microseconds since 1970, UTC; None without one."""

    last_prediction_at: int | None
    last_outcome_at: int | None
    deployed_at: int | None


def read_freshness(connection: Connection, model: str, *, at: int) -> Freshness:
    """Return the moments of the last prediction, outcome and change of the Production version of a model.

    A moment after `at` was recorded while the clock was ahead, and is no sign of what arrived lately.
    """
    last = select(func.max(predictions.c.predicted_at)).where(
        predictions.c.model == model, predictions.c.predicted_at <= at
    )
    joined = outcomes.join(predictions, predictions.c.prediction_id == outcomes.c.prediction_id)
    # From the newest outcome on; by the index of models a database would look up the outcomes of every prediction.
    is_known = (func.coalesce(predictions.c.model, "") == model) & (outcomes.c.received_at <= at)
    known = select(outcomes.c.received_at).select_from(joined).where(is_known)
    since = select(deployments.c.deployed_at).where(deployments.c.model == model, deployments.c.stage == "Production")
    deployed_at = connection.execute(since).scalar()
    return Freshness(
        connection.execute(last).scalar(),
        connection.execute(known.order_by(outcomes.c.seq.desc()).limit(1)).scalar(),
        None if deployed_at is None else min(deployed_at, at),
    )


def last_prediction_from(connection: Connection, model: str, source: str, *, at: int) -> int | None:
    """Return the moment of the last prediction from a source, among the newest 10,000 up to `at`; None without one."""
    is_known = (predictions.c.model == model) & (predictions.c.predicted_at <= at)
    newest = (
        select(predictions.c.predicted_at, predictions.c.source)
        .where(is_known)
        .order_by(predictions.c.predicted_at.desc())
        .limit(_N_SEARCHED_ROWS)
        .subquery()
    )
    last = select(func.max(newest.c.predicted_at)).where(newest.c.source == source)
    moment: int | None = connection.execute(last).scalar()
    return moment
