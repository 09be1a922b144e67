"""Read outcomes in the order of their arrival, each with the prediction that it is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import and_, func, null, or_, select

from pipeline.state.prediction_reader import iter_raw_rows
from pipeline.state.tables import outcomes, predictions, shadow_predictions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

__all__ = ["ArrivedOutcome", "read_arrived_outcomes"]


class ArrivedOutcome(NamedTuple):
    """An outcome, the earlier outcome that it corrects (None for the first), and its prediction.

    Moments are in microseconds since 1970, UTC. The log sampled one of `weight` predictions. `shadow` holds the
    probabilities of a challenger that was scored beside the champion, as JSON.
    """

    seq: int
    received_at: int
    outcome: str
    earlier: str | None
    digest: str
    served_by: str
    features: str
    probabilities: str
    weight: float
    shadow: str | None = None


def read_arrived_outcomes(
    connection: Connection,
    model: str,
    digests: Sequence[str],
    *,
    after: int,
    until: int,
    fresh_from: int,
    shadow_digest: str | None = None,
) -> list[ArrivedOutcome]:
    """Return the outcomes with numbers in (after, until], in this order.

    Parameters
    ----------
    connection : Connection
    model : str
    digests : sequence of str
        Packages whose predictions count.
    after, until : int
    fresh_from : int
        Only predictions from this moment on count.
    shadow_digest : str or None
        The challenger whose shadow predictions are read; None for none.
    """
    columns, earlier, shadow = outcomes.c, outcomes.alias("earlier"), shadow_predictions
    previous = (
        select(earlier.c.outcome)
        .where(earlier.c.prediction_id == columns.prediction_id, func.coalesce(earlier.c.seq, 0) < columns.seq)
        .order_by(earlier.c.seq.desc())
        .limit(1)
        .scalar_subquery()
    )
    beside: Any = null()
    if shadow_digest is not None:
        of_row = and_(
            shadow.c.prediction_id == columns.prediction_id,
            shadow.c.digest == shadow_digest,
            shadow.c.predicted_at <= columns.received_at,  # so that a later look reads the same rows
        )
        beside = select(shadow.c.probabilities).where(of_row).scalar_subquery()
    logged = (predictions.c[name] for name in ("digest", "served_by", "features", "probabilities", "weight"))
    query = (
        select(columns.seq, columns.received_at, columns.outcome, previous, *logged, beside)
        .join_from(outcomes, predictions, columns.prediction_id == predictions.c.prediction_id)
        .where(
            columns.seq > after,
            columns.seq <= until,
            func.coalesce(predictions.c.model, "") == model,
            predictions.c.predicted_at >= fresh_from,
            or_(*(predictions.c.digest == digest for digest in digests)),
        )
        .order_by(columns.seq)
    )
    return list(map(ArrivedOutcome._make, iter_raw_rows(connection, query)))
