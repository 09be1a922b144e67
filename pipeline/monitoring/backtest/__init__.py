"""Backtest drift thresholds on logged and simulated windows, and propose thresholds that meet an alert budget."""

from pipeline.monitoring.backtest.drift_backtest import (
    AlertBudget,
    BacktestReport,
    LoggedWindow,
    WindowSampling,
    backtest_drift_rules,
)
from pipeline.monitoring.backtest.log_replay import backtest_lines, parse_alert_budget, proposal_lines, replay_log

__all__ = [
    "AlertBudget",
    "BacktestReport",
    "LoggedWindow",
    "WindowSampling",
    "backtest_drift_rules",
    "backtest_lines",
    "parse_alert_budget",
    "proposal_lines",
    "replay_log",
]
