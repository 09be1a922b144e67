"""Backtest the drift rules on the past windows of a model's log, and print the result."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from pipeline.errors import UsageError
from pipeline.monitoring.backtest.drift_backtest import (
    AlertBudget,
    BacktestReport,
    DetectionPower,
    LoggedWindow,
    WindowSampling,
    backtest_drift_rules,
)
from pipeline.monitoring.log.log_batch import loggable_reference
from pipeline.monitoring.log.log_window import window_by_time
from pipeline.state import HOUR_US
from pipeline.text import percent, pluralize

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.monitoring.model_monitor import ModelMonitor
    from pipeline.monitoring.window_view import LogWindowView

__all__ = ["backtest_lines", "parse_alert_budget", "proposal_lines", "replay_log"]

_MIN_POWER_CHANGE = 0.01  # change of the share of windows in which a shifted column drifts
_WEEKS_PER_UNIT = {"day": 1 / 7, "week": 1.0, "month": 365.25 / 12 / 7, "year": 365.25 / 7}


def parse_alert_budget(text: str, window_hours: float) -> AlertBudget:
    """Return the budget of a text such as `2/week`.

    Raises
    ------
    UsageError
        When the text is not a number above 0 and a time unit.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)/(\w+)", text)
    if match is None or match[2] not in _WEEKS_PER_UNIT or float(match[1]) <= 0:
        raise UsageError(
            f"--alert-budget {text!r} is invalid;"
            f" expected a number and one of {', '.join(_WEEKS_PER_UNIT)}, such as 1/week"
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
        budget=budget,
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


def backtest_lines(report: BacktestReport) -> Iterator[str]:
    """Yield the result for people, without the proposal."""
    budget = report.budget
    yield f"windows of {budget.window_hours:g} h; budget {budget.alerts_per_week:.3g} alerts a week"
    if report.n_evaluated_windows:
        n_skipped = report.n_logged_windows - report.n_evaluated_windows
        yield (
            f"log: {pluralize(report.n_evaluated_windows, 'window')}, {n_skipped} more with too few rows; "
            f"{pluralize(len(report.incidents), 'alert')}, budget {budget.max_alerts(report.n_evaluated_windows)}"
        )
        for incident in report.incidents:
            columns = ", ".join(
                f"{name} {value:.3g} (threshold {threshold:.3g})" for name, value, threshold in incident.columns
            )
            yield f"  {incident.since} to {incident.until}: {columns}"
        for window in report.missed_degradations:
            degraded = ", ".join(window.degraded_metrics or ())
            yield f"  missed {window.since} to {window.until}: no drift, but outcomes show degraded {degraded}"
    else:
        yield f"log: none of {pluralize(report.n_logged_windows, 'window')} has enough rows"
    yield f"simulation: {report.n_simulated_windows} windows of {report.n_rows:,} rows from the reference"
    yield f"  {'without drift, alerts in':34} {_format_rate_interval(report.false_alarm_rate)} of windows"
    yield "  with one shifted column, that column drifts in"
    for column, powers in _powers_by_column(report).items():
        shares = " · ".join(f"{power.change} {percent(power.power)}" for power in powers)
        yield f"  {column:24} {shares}"


def _powers_by_column(report: BacktestReport) -> dict[str, list[DetectionPower]]:
    powers: dict[str, list[DetectionPower]] = {}
    for power in report.detection_powers:
        powers.setdefault(power.column, []).append(power)
    return powers


def _format_rate_interval(rate: tuple[float, float, float]) -> str:
    value, low, high = (percent(share) for share in rate)
    return f"{value} ({low} to {high})"


def proposal_lines(report: BacktestReport, files: dict[str, str]) -> Iterator[str]:
    """Yield the proposed change as a diff of keys by file, and its effect.

    Parameters
    ----------
    report : BacktestReport
    files : mapping of key to file
        The file of each key of the proposal.
    """
    if report.proposal is None:
        yield (
            "no tested threshold meets the budget; "
            "use longer windows (monitoring.window_hours) or a larger --alert-budget"
        )
        return
    if not report.proposal:
        yield "the thresholds meet the budget; nothing to change"
        return
    yield "proposed thresholds that meet the budget:"
    for file in sorted({files[key] for key in report.proposal}):
        yield f"--- {file}"
        for key, (before, after) in report.proposal.items():
            if files[key] == file:
                if before is not None:
                    yield f"- {key}: {before:.10g}"
                yield f"+ {key}: {after:.10g}"
    yield from _proposal_effect_lines(report)


def _proposal_effect_lines(report: BacktestReport) -> Iterator[str]:
    rate = _format_rate_interval(report.false_alarm_rate_with_proposal)
    yield f"with the proposal: {rate} of windows without drift alert"
    if report.n_evaluated_windows:
        yield f"with the proposal: {pluralize(report.n_incidents_with_proposal, 'alert')} in the log"
    for column, powers in _powers_by_column(report).items():
        changes = [
            f"{power.change} {percent(power.power_with_proposal)} (was {percent(power.power)})"
            for power in powers
            if abs(power.power - power.power_with_proposal) >= _MIN_POWER_CHANGE
        ]
        if changes:
            yield f"with the proposal: {column:24} {' · '.join(changes)}"
