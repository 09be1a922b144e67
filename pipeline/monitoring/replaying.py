"""Read the past windows of a model's log and test the rules on them: the door to a backtest for people."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.errors import UsageError
from pipeline.monitoring.backtest import Backtest, Budget, Draws, Past, backtest
from pipeline.monitoring.logged import logged_reference
from pipeline.monitoring.rollups import HOUR_US
from pipeline.monitoring.values import moment
from pipeline.monitoring.windows import window_counts, window_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.monitoring.monitor import ModelMonitor
    from pipeline.package import Package
    from pipeline.state import State

__all__ = ["lines", "parse_budget", "proposal_lines", "replay"]

_WORTH_SAYING = 0.01  # change of the share of windows in which a moved column is named
_WEEKS = {"day": 1 / 7, "week": 1.0, "month": 365.25 / 12 / 7, "year": 365.25 / 7}


def parse_budget(words: str, window_hours: float) -> Budget:
    """Return the budget that `2/week` means.

    Raises
    ------
    UsageError
        When it is no number of alerts above 0 and a span of time.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)/(\w+)", words)
    if match is None or match[2] not in _WEEKS or float(match[1]) <= 0:
        raise UsageError(
            f"--alert-budget {words!r}: accepted is a number and one of {', '.join(_WEEKS)}, such as 1/week"
        )
    return Budget(float(match[1]) / _WEEKS[match[2]], window_hours)


def replay(
    monitor: ModelMonitor, budget: Budget, *, n_windows: int, draws: Draws, with_outcomes: bool = True
) -> Backtest:
    """Return the backtest of the version in production.

    Parameters
    ----------
    monitor : ModelMonitor
    budget : Budget
        Its `window_hours` cut the log: windows of whole hours end with an hour, others end now.
    n_windows : int
        How far to look back.
    draws : Draws
    with_outcomes : bool
        Whether windows without drift are asked whether outcomes show a worse model.
    """
    settings, length = monitor.settings, int(budget.window_hours * HOUR_US)
    with monitor.watching() as (state, package):
        now = state.clock() + 1
        end = math.ceil(now / HOUR_US) * HOUR_US if length % HOUR_US == 0 else now
        # The log begins after 1970, whatever the length of the windows that are asked for.
        ends = [end - back * length for back in range(n_windows) if end - (back + 1) * length >= 0]
        past = _without_empty_start(
            [_past(state, monitor.model_name, package, until - length, until) for until in reversed(ends)]
        )
    if with_outcomes:
        at = {moment(until): until for until in ends}
        past = [_judged(monitor, one, at[one.until], budget.window_hours, settings.monitoring.min_rows) for one in past]
    return backtest(
        logged_reference(package),
        package.schema,
        settings.drift,
        budget,
        past=past,
        min_rows=settings.monitoring.min_rows,
        draws=draws,
    )


def _past(state: State, model: str, package: Package, since: int, until: int) -> Past:
    return Past(
        moment(since),
        moment(until),
        window_counts(state, model, package, window_of(state, model, since=since, until=until)),
    )


def _without_empty_start(past: list[Past]) -> list[Past]:
    """Leave out what lies before the first logged row."""
    first = next((i for i, one in enumerate(past) if one.counts.n_rows), len(past))
    return past[first:]


def _judged(monitor: ModelMonitor, one: Past, until: int, hours: float, min_rows: int) -> Past:
    if one.counts.n_rows < min_rows:
        return one
    then = replace(monitor, clock=lambda: until - 1)
    found = then.detect_performance_degradation(window_hours=hours)
    return replace(one, degraded=tuple(found["degraded_metrics"]))


def lines(found: Backtest) -> Iterator[str]:
    """Yield what was found for a person, without the proposal."""
    budget = found.budget
    yield f"windows of {budget.window_hours:g} h; budget {budget.per_week:.3g} alerts a week"
    if found.n_past_judged:
        yield (
            f"past log: {found.n_past_judged} windows, {found.n_past - found.n_past_judged} more with too few rows;"
            f" {len(found.incidents)} alerts, the budget is {budget.allowed(found.n_past_judged)}"
        )
        for incident in found.incidents:
            said = ", ".join(f"{name} {value:.3g} (limit {limit:.3g})" for name, value, limit in incident.columns)
            yield f"  {incident.since} to {incident.until}: {said}"
        for one in found.missed:
            yield f"  missed {one.since} to {one.until}: no column drifted, outcomes show worse {', '.join(one.degraded or ())}"
    else:
        yield f"past log: none of {found.n_past} windows has enough rows to be judged"
    yield f"draws: {found.n_draws} windows of {found.n_rows:,} rows from the reference"
    yield f"  {'without drift, alerts in':34} {_percent(found.false_alarms)} of windows"
    yield "  of drawn windows with one column moved, it is named in"
    for column in dict.fromkeys(one.column for one in found.sought):
        found_in = [f"{one.change} {100 * one.found:.0f} %" for one in found.sought if one.column == column]
        yield f"  {column:24} {' · '.join(found_in)}"


def _percent(share: tuple[float, float, float]) -> str:
    value, low, high = (100 * one for one in share)
    return f"{value:.1f} % ({low:.1f} to {high:.1f} %)"


def proposal_lines(found: Backtest, files: dict[str, str]) -> Iterator[str]:
    """Yield what to change: a diff of keys, by file, and what it does.

    Parameters
    ----------
    found : Backtest
    files : mapping of key to file
        Where each key of the proposal is written down, or would be.
    """
    if found.proposal is None:
        yield "no limit that was tried keeps the budget; judge longer windows (monitoring.window_hours), or allow more alerts"
        return
    if not found.proposal:
        yield "the budget is kept: nothing to change"
        return
    yield "proposed, to keep the budget:"
    for file in sorted({files[key] for key in found.proposal}):
        yield f"--- {file}"
        for key, (before, after) in found.proposal.items():
            if files[key] == file:
                if before is not None:
                    yield f"- {key}: {before:.10g}"
                yield f"+ {key}: {after:.10g}"
    yield f"with it: {_percent(found.false_alarms_with_proposal)} of windows without drift raise an alert"
    if found.n_past_judged:
        yield f"with it: {found.n_incidents_with_proposal} alerts over the past log"
    for column in dict.fromkeys(one.column for one in found.sought):
        said = [
            f"{one.change} {100 * one.found_with_proposal:.0f} % (was {100 * one.found:.0f} %)"
            for one in found.sought
            if one.column == column and abs(one.found - one.found_with_proposal) >= _WORTH_SAYING
        ]
        if said:
            yield f"with it: {column:24} {' · '.join(said)}"
