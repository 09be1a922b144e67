"""Compare the predictions before and after the start of an incident: shares of classes, and confidence."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.state import HOUR_US

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.monitoring import HourlyPredictions

__all__ = ["PredictionEffect", "PredictionPeriod", "compare_predictions"]


@dataclass(frozen=True, slots=True)
class PredictionPeriod:
    """The predictions of [since, until), in microseconds since 1970.

    With a `shortage` of rows, there are neither shares nor a confidence.
    """

    since: int
    until: int
    n_predictions: int
    shares: Mapping[str, float] = field(default_factory=dict)
    mean_confidence: float | None = None
    shortage: str = ""


@dataclass(frozen=True, slots=True)
class PredictionEffect:
    """The predictions before and after the start of an incident."""

    before: PredictionPeriod
    after: PredictionPeriod

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes of both periods, in alphabetical order."""
        return tuple(sorted({*self.before.shares, *self.after.shares}))


def compare_predictions(
    hours: Sequence[HourlyPredictions], *, bounds: tuple[int, int], start: int, min_rows: int
) -> PredictionEffect:
    """Compare the whole hours before that of `start` with those from it on.

    Parameters
    ----------
    hours : sequence of HourlyPredictions
        Of [since, until).
    bounds : (int, int)
        Since and until, in microseconds since 1970.
    start : int
        When the incident began.
    min_rows : int
        A period with fewer predictions has no statistics.
    """
    since, until = bounds
    split = start - start % HOUR_US
    earlier, later = ([hour for hour in hours if (hour.hour >= split) is is_later] for is_later in (False, True))
    return PredictionEffect(
        _summarize(earlier, since=since, until=split, min_rows=min_rows),
        _summarize(later, since=split, until=until, min_rows=min_rows),
    )


def _summarize(hours: Sequence[HourlyPredictions], *, since: int, until: int, min_rows: int) -> PredictionPeriod:
    n = sum(hour.n_predictions for hour in hours)
    if n < max(min_rows, 1):
        return PredictionPeriod(since, until, round(n), shortage=f"{n:,.0f} of {min_rows:,} predictions needed")
    totals: dict[str, float] = {}
    for hour in hours:
        for name, n_class in hour.by_class.items():
            totals[name] = totals.get(name, 0.0) + n_class
    n_classified = sum(totals.values())
    confidence = sum(hour.mean_confidence * hour.n_predictions for hour in hours) / n
    shares = {name: total / n_classified for name, total in sorted(totals.items())}
    return PredictionPeriod(since, until, round(n), shares, confidence)
