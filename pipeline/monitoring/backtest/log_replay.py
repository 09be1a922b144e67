"""Read the past windows of a model's log and test the rules on them: the door to a backtest for people."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.errors import UsageError
from pipeline.monitoring.backtest.drift_backtest import (
    AlertBudget,
    BacktestReport,
    LoggedWindow,
    WindowSampling,
    backtest_drift_rules,
)
from pipeline.monitoring.log.log_batch import loggable_reference
from pipeline.monitoring.log.log_window import window_by_time, window_counts
from pipeline.monitoring.log.rollup_updates import HOUR_US
from pipeline.text import iso_timestamp, percent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.monitoring.model_monitor import ModelMonitor
    from pipeline.package import Package
    from pipeline.state import State

__all__ = ["parse_alert_budget", "proposal_lines", "replay_log", "report_lines"]

_MIN_POWER_CHANGE = 0.01  # change of the share of windows in which a moved column is named
_WEEKS_PER_UNIT = {"day": 1 / 7, "week": 1.0, "month": 365.25 / 12 / 7, "year": 365.25 / 7}


def parse_alert_budget(text: str, window_hours: float) -> AlertBudget:
    """Return the budget that `2/week` means.

    Raises
    ------
    UsageError
        When it is no number of alerts above 0 and a span of time.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)/(\w+)", text)
    if match is None or match[2] not in _WEEKS_PER_UNIT or float(match[1]) <= 0:
        raise UsageError(
            f"--alert-budget {text!r}: accepted is a number and one of {', '.join(_WEEKS_PER_UNIT)}, such as 1/week"
        )
    return AlertBudget(float(match[1]) / _WEEKS_PER_UNIT[match[2]], window_hours)


def replay_log(
    monitor: ModelMonitor, budget: AlertBudget, *, n_windows: int, sampling: WindowSampling, with_outcomes: bool = True
) -> BacktestReport:
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
    settings, length = monitor.resolved_config, int(budget.window_hours * HOUR_US)
    with monitor.open_synced_state() as (state, package):
        now = state.clock() + 1
        end = math.ceil(now / HOUR_US) * HOUR_US if length % HOUR_US == 0 else now
        # The log begins after 1970, whatever the length of the windows that are asked for.
        ends = [end - back * length for back in range(n_windows) if end - (back + 1) * length >= 0]
        past = _drop_leading_empty_windows(
            [_logged_window(state, monitor.model_name, package, until - length, until) for until in reversed(ends)]
        )
    if with_outcomes:
        at = {iso_timestamp(until): until for until in ends}
        past = [
            _with_degraded_metrics(monitor, one, at[one.until], budget.window_hours, settings.monitoring.min_rows)
            for one in past
        ]
    return backtest_drift_rules(
        loggable_reference(package),
        package.schema,
        settings.drift,
        budget,
        logged_windows=past,
        min_rows=settings.monitoring.min_rows,
        sampling=sampling,
    )


def _logged_window(state: State, model: str, package: Package, since: int, until: int) -> LoggedWindow:
    return LoggedWindow(
        iso_timestamp(since),
        iso_timestamp(until),
        window_counts(state, model, package, window_by_time(state, model, since=since, until=until)),
    )


def _drop_leading_empty_windows(past: list[LoggedWindow]) -> list[LoggedWindow]:
    """Leave out what lies before the first logged row."""
    first = next((i for i, one in enumerate(past) if one.counts.n_rows), len(past))
    return past[first:]


def _with_degraded_metrics(
    monitor: ModelMonitor, one: LoggedWindow, until: int, hours: float, min_rows: int
) -> LoggedWindow:
    if one.counts.n_rows < min_rows:
        return one
    then = replace(monitor, clock=lambda: until - 1)
    found = then.detect_performance_degradation(window_hours=hours)
    return replace(one, degraded_metrics=tuple(found["degraded_metrics"]))


def report_lines(report: BacktestReport) -> Iterator[str]:
    """Yield what was found for a person, without the proposal."""
    budget = report.budget
    yield f"windows of {budget.window_hours:g} h; budget {budget.alerts_per_week:.3g} alerts a week"
    if report.n_evaluated_windows:
        yield (
            f"past log: {report.n_evaluated_windows} windows, {report.n_logged_windows - report.n_evaluated_windows} more with too few rows;"
            f" {len(report.incidents)} alerts, the budget is {budget.max_alerts(report.n_evaluated_windows)}"
        )
        for incident in report.incidents:
            said = ", ".join(f"{name} {value:.3g} (limit {limit:.3g})" for name, value, limit in incident.columns)
            yield f"  {incident.since} to {incident.until}: {said}"
        for one in report.missed_degradations:
            yield f"  missed {one.since} to {one.until}: no column drifted, outcomes show worse {', '.join(one.degraded_metrics or ())}"
    else:
        yield f"past log: none of {report.n_logged_windows} windows has enough rows to be judged"
    yield f"draws: {report.n_simulated_windows} windows of {report.n_rows:,} rows from the reference"
    yield f"  {'without drift, alerts in':34} {_format_rate_interval(report.false_alarm_rate)} of windows"
    yield "  of drawn windows with one column moved, it is named in"
    for column in dict.fromkeys(one.column for one in report.detection_powers):
        found_in = [f"{one.change} {percent(one.power)}" for one in report.detection_powers if one.column == column]
        yield f"  {column:24} {' · '.join(found_in)}"


def _format_rate_interval(share: tuple[float, float, float]) -> str:
    value, low, high = (percent(bound) for bound in share)
    return f"{value} ({low} to {high})"


def proposal_lines(report: BacktestReport, files: dict[str, str]) -> Iterator[str]:
    """Yield what to change: a diff of keys, by file, and what it does.

    Parameters
    ----------
    found : Backtest
    files : mapping of key to file
        Where each key of the proposal is written down, or would be.
    """
    if report.proposal is None:
        yield "no limit that was tried keeps the budget; judge longer windows (monitoring.window_hours), or allow more alerts"
        return
    if not report.proposal:
        yield "the budget is kept: nothing to change"
        return
    yield "proposed, to keep the budget:"
    for file in sorted({files[key] for key in report.proposal}):
        yield f"--- {file}"
        for key, (before, after) in report.proposal.items():
            if files[key] == file:
                if before is not None:
                    yield f"- {key}: {before:.10g}"
                yield f"+ {key}: {after:.10g}"
    yield f"with it: {_format_rate_interval(report.false_alarm_rate_with_proposal)} of windows without drift raise an alert"
    if report.n_evaluated_windows:
        yield f"with it: {report.n_incidents_with_proposal} alerts over the past log"
    for column in dict.fromkeys(one.column for one in report.detection_powers):
        said = [
            f"{one.change} {percent(one.power_with_proposal)} (was {percent(one.power)})"
            for one in report.detection_powers
            if one.column == column and abs(one.power - one.power_with_proposal) >= _MIN_POWER_CHANGE
        ]
        if said:
            yield f"with it: {column:24} {' · '.join(said)}"
