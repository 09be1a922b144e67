"""Read a window of the prediction log: whole hours and days from roll-ups, the rows at its two ends one by one."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from pipeline import state as store
from pipeline.monitoring.log.rollup_layout import FEATURES, PREDICTIONS, UNCOUNTED, RollupLayout
from pipeline.monitoring.log.rollup_updates import roll_up, tally_rows
from pipeline.monitoring.log.sampling_weights import effective_sample
from pipeline.state import DAY_US, HOUR_US, RollupKey
from pipeline.text import iso_timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipeline.config.groups.monitoring_config import PredictionSource
    from pipeline.monitoring.log.bin_counts import BinCounts
    from pipeline.package import Package
    from pipeline.state import LoggedRow, RollupCounts, State

    TallyKey = tuple[str, str, float]

__all__ = [
    "PredictionLog",
    "Window",
    "WindowTallies",
    "window_by_rows",
    "window_by_time",
]


@dataclass(frozen=True, slots=True)
class PredictionLog:
    """The logged predictions of one model, and the packages that made them.

    Parameters
    ----------
    state : State
    model : str
    packages : callable
        Returns the package with a digest, None when it cannot be loaded.
    sources : tuple of PredictionSource
        The sources that are counted; all when empty.
    """

    state: State
    model: str
    packages: Callable[[str], Package | None]
    sources: tuple[PredictionSource, ...] = ()
    _layouts: dict[str, RollupLayout | None] = field(default_factory=dict, init=False, repr=False, compare=False)

    def layout(self, digest: str) -> RollupLayout | None:
        """Return the layout of the roll-ups of a package, made once; None when the package cannot be loaded."""
        if digest not in self._layouts:
            package = self.packages(digest)
            self._layouts[digest] = None if package is None else RollupLayout(package)
        return self._layouts[digest]

    def roll_up(self) -> int:
        """Bring the hourly counts up to date; return the number of newly counted predictions."""
        return roll_up(self.state, self.model, self.packages)

    def rows(self, window: Window) -> list[LoggedRow]:
        """Return the logged rows of a window."""
        with self.state.reading() as connection:
            return store.window_predictions(
                connection, self.model, since=window.since, until=window.until, sources=self.sources
            )

    def version_names(self) -> dict[str, str]:
        """Return the registered versions by digest of their package."""
        with self.state.reading() as connection:
            versions = store.read_versions(connection, self.model)
        return {version.digest: str(version.version) for version in versions}


@dataclass(frozen=True, slots=True)
class Window:
    """The interval [since, until) in microseconds since 1970, UTC, as whole hours and single rows.

    `whole_hours_start` to `whole_hours_end` are whole hours, none when the start is not below the end;
    `partial_hour_rows` are the rows outside of them.
    """

    since: int
    until: int
    whole_hours_start: int
    whole_hours_end: int
    partial_hour_rows: tuple[LoggedRow, ...] = field(default=(), repr=False)

    def as_dict(self) -> dict[str, str]:
        """Return both ends as ISO 8601 text."""
        return {"since": iso_timestamp(self.since), "until": iso_timestamp(self.until)}

    def buckets(self) -> Iterator[tuple[Literal["hour", "day"], int, int]]:
        """Yield span, start and end of the roll-ups that cover the whole hours."""
        day, end = -(-self.whole_hours_start // DAY_US) * DAY_US, self.whole_hours_end // DAY_US * DAY_US
        if day >= end:
            yield "hour", self.whole_hours_start, self.whole_hours_end
            return
        yield "hour", self.whole_hours_start, day
        yield "day", day, end
        yield "hour", end, self.whole_hours_end


def window_by_time(log: PredictionLog, *, since: int, until: int) -> Window:
    """Return the window [since, until) in microseconds since 1970.

    A window of a day or more begins at the full hour, so that a long window reads no rows at its start.
    Rows that `roll_up` has not counted yet are not in it.
    """
    if until - since >= DAY_US:
        since -= since % HOUR_US
    with log.state.reading() as connection:
        start, end = _whole_hours(connection, log.model, since, until)
        edges = ((since, start), (end, until)) if start < end else ((since, until),)
        rows = [
            row
            for begin, stop in edges
            if begin < stop
            for row in store.window_predictions(connection, log.model, since=begin, until=stop, sources=log.sources)
        ]
    return Window(since, until, start, end, tuple(rows))


def window_by_rows(log: PredictionLog, n_rows: int, *, until: int) -> Window:
    """Return the window of the last `n_rows` rows before `until`, or of all rows when there are fewer.

    Rows of the same moment stay together.
    """
    with log.state.reading() as connection:
        hours: dict[int, int] = {}
        for section in (PREDICTIONS, UNCOUNTED):
            counts = store.count_rows_by_hour(connection, log.model, section, since=0, until=until, sources=log.sources)
            for hour, (n_logged, _) in counts.items():
                hours[hour] = hours.get(hour, 0) + n_logged
        n_left, end = n_rows, until
        for hour in sorted(hours, reverse=True):
            # The latest hour may have rows after `until`, so its rows are read one by one as well.
            if hours[hour] >= n_left or hour + HOUR_US > until:
                since = store.time_of_nth_last(connection, log.model, n_left, before=end, sources=log.sources)
                break
            n_left, end = n_left - hours[hour], hour
        else:
            since = None
    oldest = min(hours, default=until - 1)
    return window_by_time(log, since=since if since is not None else min(oldest, until - 1), until=until)


@dataclass(frozen=True)
class WindowTallies:
    """The tallies of a window by section of the roll-ups, each read once."""

    log: PredictionLog
    window: Window
    _sections: dict[str, dict[TallyKey, RollupCounts]] = field(default_factory=dict, init=False, repr=False)

    def section(self, section: str) -> dict[TallyKey, RollupCounts]:
        """Return one section of the roll-ups, by digest, source and sampling weight."""
        if section not in self._sections:
            self._sections[section] = self._read_section(section)
        return self._sections[section]

    def bin_counts(self, package: Package) -> BinCounts:
        """Return the bin counts of the predictions that one package made."""
        layout, sums = RollupLayout(package), []
        for section in (FEATURES, PREDICTIONS):
            tallies = self.section(section)
            weighted = ((weight, tally) for (digest, _, weight), tally in tallies.items() if digest == package.digest)
            sums.append(effective_sample(weighted, layout.empty_tally(section)))
        return layout.bin_counts(*sums)

    def predictions_by_hour(self, digest: str | None = None) -> dict[int, int]:
        """Return the number of predictions of each hour that has any, by its first microsecond.

        `digest` limits them to one package.
        """
        n_by_hour: dict[int, float] = {}
        with self.log.state.reading() as connection:
            for section in (PREDICTIONS, UNCOUNTED):
                counts = store.count_rows_by_hour(
                    connection,
                    self.log.model,
                    section,
                    since=self.window.whole_hours_start,
                    until=self.window.whole_hours_end,
                    sources=self.log.sources,
                    digest=digest,
                )
                for hour, (_, n) in counts.items():
                    n_by_hour[hour] = n_by_hour.get(hour, 0.0) + n
        for row in self.window.partial_hour_rows:
            if digest not in (None, row.digest):
                continue
            hour = row.predicted_at - row.predicted_at % HOUR_US
            n_by_hour[hour] = n_by_hour.get(hour, 0.0) + row.weight
        return {hour: round(n) for hour, n in sorted(n_by_hour.items())}

    def _read_section(self, section: str) -> dict[TallyKey, RollupCounts]:
        tallies: dict[TallyKey, RollupCounts] = {}

        def add(key: RollupKey, tally: RollupCounts) -> None:
            group = (key.digest, key.source, key.weight)
            tallies[group] = tallies[group] + tally if group in tallies else tally

        log = self.log
        with log.state.reading() as connection:
            for span, since, until in self.window.buckets():
                if since < until:
                    rollups = store.read_rollups(
                        connection,
                        log.model,
                        section,
                        since=since,
                        until=until,
                        granularity=span,
                        sources=log.sources,
                    )
                    for key, tally in rollups:
                        add(key, tally)
        for key, tally in self._partial_hour_tallies.items():
            if key.section == section:
                add(key, tally)
        return tallies

    @cached_property
    def _partial_hour_tallies(self) -> dict[RollupKey, RollupCounts]:
        rows = self.window.partial_hour_rows
        return tally_rows(rows, self.log.packages) if rows else {}


def _whole_hours(connection: Any, model: str, since: int, until: int) -> tuple[int, int]:
    """Return start and end of the hours that lie in a window as a whole, or have no rows outside of it."""
    first, last = -(-since // HOUR_US) * HOUR_US, until // HOUR_US * HOUR_US
    if last < until and not store.has_predictions(connection, model, since=until, until=last + HOUR_US):
        last += HOUR_US
    if since < first and not store.has_predictions(connection, model, since=first - HOUR_US, until=since):
        first -= HOUR_US
    return first, last
