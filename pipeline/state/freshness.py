"""Say when something last came: a prediction, an outcome, a new version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from pipeline.state.tables import deployments, outcomes, predictions

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["Freshness", "read_freshness"]


@dataclass(frozen=True, slots=True)
class Freshness:
    """Moments of the last of each, in microseconds since 1970, UTC; None where there never was one."""

    last_prediction_at: int | None
    last_outcome_at: int | None
    deployed_at: int | None


def read_freshness(connection: Connection, model: str) -> Freshness:
    """Return when a model last answered, learned what came true, and changed in production."""
    last = select(func.max(predictions.c.predicted_at)).where(predictions.c.model == model)
    joined = outcomes.join(predictions, predictions.c.prediction_id == outcomes.c.prediction_id)
    # From the newest outcome on; by the index of models a database would look up the outcomes of every prediction.
    known = select(outcomes.c.received_at).select_from(joined).where(func.coalesce(predictions.c.model, "") == model)
    since = select(deployments.c.deployed_at).where(deployments.c.model == model, deployments.c.stage == "Production")
    return Freshness(
        connection.execute(last).scalar(),
        connection.execute(known.order_by(outcomes.c.seq.desc()).limit(1)).scalar(),
        connection.execute(since).scalar(),
    )
