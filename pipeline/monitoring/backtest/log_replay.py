"""Backtest the drift rules on the past windows of a model's log, and print the result."""

from __future__ import annotations

import math
import re
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
from pipeline.monitoring.log.log_window import window_by_time
from pipeline.state import HOUR_US
from pipeline.text import percent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.monitoring.model_monitor import ModelMonitor
    from pipeline.monitoring.window import LogWindowView

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
    budget : AlertBudget
        Its `window_hours` divide the log. Windows of whole hours end with an hour, other windows end now.
    n_windows : int
        Number of past windows.
    sampling : WindowSampling
    with_outcomes : bool
        Whether outcomes are checked for degradation in each window.
    """
    config, length = monitor.resolved_config, int(budget.window_hours * HOUR_US)
    min_rows = config.monitoring.min_rows
    with monitor.open_log() as (log, package):
        now = log.state.clock() + 1
        end = math.ceil(now / HOUR_US) * HOUR_US if length % HOUR_US == 0 else now
        # No window begins before 1970, whatever the length of the windows.
        ends = [end - back * length for back in range(n_windows) if end - (back + 1) * length >= 0]
        windows = [window_by_time(log, since=until - length, until=until) for until in reversed(ends)]
        views = _drop_leading_empty_windows([monitor.view(log, package, window) for window in windows])
        logged_windows = [
            _logged_window(view, has_degradation=with_outcomes and view.counts.n_rows >= min_rows) for view in views
        ]
    return backtest_drift_rules(
        loggable_reference(package),
        package.schema,
        config.drift,
        budget,
        logged_windows=logged_windows,
        min_rows=min_rows,
        sampling=sampling,
    )


def _logged_window(view: LogWindowView, *, has_degradation: bool) -> LoggedWindow:
    degraded = None
    if has_degradation:
        degradations = view.detect_degradation()
        degraded = tuple(degradation.metric for degradation in degradations if degradation.verdict == "degraded")
    return LoggedWindow(**view.bounds, counts=view.counts, degraded_metrics=degraded)


def _drop_leading_empty_windows(views: list[LogWindowView]) -> list[LogWindowView]:
    """Leave out the windows before the first logged row."""
    first = next((i for i, view in enumerate(views) if view.counts.n_rows), len(views))
    return views[first:]


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
