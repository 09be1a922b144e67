"""Store what a challenger predicts beside the champion, for a trial that cannot score the log again."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import insert

from pipeline.state.tables import shadow_predictions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

__all__ = ["ShadowPrediction", "add_shadow_predictions"]


class ShadowPrediction(NamedTuple):
    """A prediction of a challenger for a logged prediction of the champion; no caller received it."""

    prediction_id: str
    digest: str
    trial: int
    prediction: str
    probabilities: str
    predicted_at: int


def add_shadow_predictions(connection: Connection, rows: Sequence[ShadowPrediction]) -> None:
    """Append shadow predictions."""
    connection.execute(insert(shadow_predictions), [row._asdict() for row in rows])
