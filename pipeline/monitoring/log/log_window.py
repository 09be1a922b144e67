"""Sum roll-ups over any window: whole days and hours as they are kept, the rows at its two ends one by one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pipeline import state as store
from pipeline.monitoring.log.rollup_layout import FEATURES, PREDICTIONS, UNCOUNTED, RollupLayout
from pipeline.monitoring.log.rollup_updates import tally_rows
from pipeline.monitoring.log.sampling_weights import effective_sample
from pipeline.state import DAY_US, HOUR_US, RollupKey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipeline.monitoring.log.bin_counts import BinCounts
    from pipeline.package import Package
    from pipeline.state import LoggedRow, RollupCounts, State

__all__ = ["Window", "hourly_prediction_counts", "window_by_rows", "window_by_time", "window_counts", "window_tallies"]


@dataclass(frozen=True, slots=True)
class Window:
    """Moments [since, until) in microseconds since 1970, UTC, and how they are made up of hours and of rows.

    `first` to `last` are whole hours, none where `first` is not below `last`; `edges` are the rows outside of them.
    """

    since: int
    until: int
    whole_hours_start: int
    whole_hours_end: int
    partial_hour_rows: tuple[LoggedRow, ...] = field(default=(), repr=False)

    def buckets(self) -> Iterator[tuple[Literal["hour", "day"], int, int]]:
        """Yield span, begin and end of the roll-ups that make it up."""
        day, end = -(-self.whole_hours_start // DAY_US) * DAY_US, self.whole_hours_end // DAY_US * DAY_US
        if day >= end:
            yield "hour", self.whole_hours_start, self.whole_hours_end
            return
        yield "hour", self.whole_hours_start, day
        yield "day", day, end
        yield "hour", end, self.whole_hours_end


def window_by_time(state: State, model: str, *, since: int, until: int) -> Window:
    """Return a window. One of a day or more begins at the full hour, so that no length of it needs to read rows.

    `roll_up` must have been called before: what was logged since then is not in it.
    """
    if until - since >= DAY_US:
        since -= since % HOUR_US
    with state.reading() as connection:
        first, last = _whole_hours(connection, model, since, until)
        pieces = ((since, first), (last, until)) if first < last else ((since, until),)
        edges = [
            row
            for begin, end in pieces
            if begin < end
            for row in store.window_predictions(connection, model, since=begin, until=end)
        ]
    return Window(since, until, first, last, tuple(edges))


def window_by_rows(state: State, model: str, n_rows: int, *, until: int) -> Window:
    """Return the window of the last `n` rows before `until`, or of all where there are fewer; equal moments stay together."""
    with state.reading() as connection:
        hours: dict[int, int] = {}
        for part in (PREDICTIONS, UNCOUNTED):
            for hour, (held, _) in store.count_rows_by_hour(connection, model, part, since=0, until=until).items():
                hours[hour] = hours.get(hour, 0) + held
        left, end = n_rows, until
        for hour in sorted(hours, reverse=True):
            # The latest hour may hold rows that lie after `until`, so it is looked at row by row as well.
            if hours[hour] >= left or hour + HOUR_US > until:
                since = store.time_of_nth_last(connection, model, left, before=end)
                break
            left, end = left - hours[hour], hour
        else:
            since = None
    oldest = min(hours, default=until - 1)
    return window_by_time(state, model, since=since if since is not None else min(oldest, until - 1), until=until)


def window_tallies(
    state: State, model: str, window: Window, section: str, packages: Callable[[str], Package | None]
) -> dict[tuple[str, str, float], RollupCounts]:
    """Return one part of the roll-ups of a window, by digest, source and weight of the rows."""
    found: dict[tuple[str, str, float], RollupCounts] = {}

    def take(key: RollupKey, tally: RollupCounts) -> None:
        place = (key.digest, key.source, key.weight)
        found[place] = found[place] + tally if place in found else tally

    with state.reading() as connection:
        for span, since, until in window.buckets():
            if since < until:
                for key, tally in store.read_rollups(
                    connection, model, section, since=since, until=until, granularity=span
                ):
                    take(key, tally)
    if window.partial_hour_rows:
        for key, tally in tally_rows(window.partial_hour_rows, packages).items():
            if key.section == section:
                take(key, tally)
    return found


def hourly_prediction_counts(state: State, model: str, window: Window) -> dict[int, int]:
    """Return the number of answers of each hour of a window that has any, by its first microsecond."""
    found: dict[int, float] = {}
    with state.reading() as connection:
        for part in (PREDICTIONS, UNCOUNTED):
            kept = store.count_rows_by_hour(
                connection, model, part, since=window.whole_hours_start, until=window.whole_hours_end
            )
            for hour, (_, n) in kept.items():
                found[hour] = found.get(hour, 0.0) + n
    for row in window.partial_hour_rows:
        hour = row.predicted_at - row.predicted_at % HOUR_US
        found[hour] = found.get(hour, 0.0) + row.weight
    return {hour: round(n) for hour, n in sorted(found.items())}


def window_counts(state: State, model: str, package: Package, window: Window) -> BinCounts:
    """Return the counts of the predictions that one package gave in a window."""
    layout, sums = RollupLayout(package), []
    for part in (FEATURES, PREDICTIONS):
        own = window_tallies(state, model, window, part, lambda digest: package if digest == package.digest else None)
        kept = ((weight, one) for (digest, _, weight), one in own.items() if digest == package.digest)
        sums.append(effective_sample(kept, layout.empty_tally(part)))
    return layout.bin_counts(*sums)


def _whole_hours(connection: Any, model: str, since: int, until: int) -> tuple[int, int]:
    """Return begin and end of the hours that lie in a window as a whole, or have no rows outside of it."""
    first, last = -(-since // HOUR_US) * HOUR_US, until // HOUR_US * HOUR_US
    if last < until and not store.has_predictions(connection, model, since=until, until=last + HOUR_US):
        last += HOUR_US
    if since < first and not store.has_predictions(connection, model, since=first - HOUR_US, until=since):
        first -= HOUR_US
    return first, last
