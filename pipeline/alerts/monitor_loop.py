"""Run the monitor once or again and again: judge, write down, raise, tell, show."""

from __future__ import annotations

import signal
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pipeline import files
from pipeline import state as store
from pipeline.alerts.alert_rules import SEVERITIES, RuleResult, evaluate_rules
from pipeline.alerts.delivery import DeliveryResult, deliver_due_messages, deliver_until_stopped
from pipeline.alerts.incident_message import highest_severity
from pipeline.alerts.incident_updates import update_incidents
from pipeline.alerts.recording import log_monitor_run
from pipeline.alerts.rule_inputs import RuleInputs, fetch_server_metrics
from pipeline.alerts.run_summary import summarize_run
from pipeline.errors import ConfigError, MlopsError
from pipeline.monitoring import ModelMonitor
from pipeline.monitoring.monitoring_html import headline, render_html
from pipeline.project import paths
from pipeline.text import pluralize
from pipeline.tracing import child_span, root_span

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.config.root_config import Config
    from pipeline.state import Incident, MonitorRun, State

__all__ = ["MonitorRunResult", "run_monitor", "run_monitor_once", "stop_on_signal"]


@dataclass(frozen=True, slots=True)
class MonitorRunResult:
    """What one run of the monitor found, said and sent."""

    report: dict[str, Any]
    rule_results: tuple[RuleResult, ...]
    incidents: tuple[Incident, ...]
    delivery_result: DeliveryResult
    severity: str | None

    def exit_code(self, config: Config) -> int:
        """Return the declared code when something of the declared severity was found, 0 otherwise."""
        wanted = SEVERITIES.index(config.monitoring.exit_severity)
        is_loud = self.severity is not None and SEVERITIES.index(self.severity) >= wanted
        return config.monitoring.exit_code if is_loud else 0


def run_monitor(config: Config, root: Path) -> int:
    """Run the monitor once, or every `monitoring.interval_minutes` until a signal; return the exit code of the last run.

    Raises
    ------
    Conflict
        When another process watches this project.
    """
    with files.exclusive_lock(root / paths.MONITOR_LOCK, operation="the monitor"):
        if config.monitoring.interval_minutes == 0:
            return _print_summary(run_monitor_once(config, root)).exit_code(config)
        return _run_periodically(config, root)


def _run_periodically(config: Config, root: Path) -> int:
    """Look again and again; messages that wait are sent all the while, beside the looking."""
    code, every_s = 0, 60 * config.monitoring.interval_minutes
    with stop_on_signal() as stop, _background_delivery(config, root, stop):
        while not stop.is_set():
            began = time.monotonic()
            try:
                code = _print_summary(run_monitor_once(config, root)).exit_code(config)
            except ConfigError:
                raise
            except MlopsError as error:
                sys.stderr.write(f"[monitor] {error}; looking again in {config.monitoring.interval_minutes:g} min\n")
            stop.wait(max(every_s - (time.monotonic() - began), 0.0))
    return code


@contextmanager
def stop_on_signal() -> Iterator[threading.Event]:
    """Yield an event that SIGTERM or Ctrl-C sets; afterwards signals do what they did before."""
    stop = threading.Event()
    before = {one: signal.signal(one, lambda *_: stop.set()) for one in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


@contextmanager
def _background_delivery(config: Config, root: Path, stop: threading.Event) -> Iterator[None]:
    state = store.open_state(root)
    sender = threading.Thread(target=deliver_until_stopped, args=(stop, state, config.alerts))
    sender.start()
    try:
        yield
    finally:
        stop.set()
        sender.join()
        state.close()


def run_monitor_once(config: Config, root: Path) -> MonitorRunResult:
    """Judge the window, write it down with its incidents in one transaction, send what is due, show it in MLflow."""
    with root_span("monitor run", "mlops-monitor"):
        return _run_traced(config, root)


def _run_traced(config: Config, root: Path) -> MonitorRunResult:
    with ModelMonitor(config.name, root=root, config=config).open_window() as view:
        with child_span("evaluate the window"):
            report = view.report()
        drawn = render_html(report)
        files.write_json(root / paths.MONITORING_REPORT, report)
        files.write_text(root / paths.MONITORING_HTML, drawn)
        with child_span("raise incidents"):
            run, judged, incidents = _save_run(view.log.state, config, report)
        with child_span("send messages"):
            sent = deliver_due_messages(view.log.state, config.alerts)
    if config.monitoring.mlflow_runs == "all" or (
        config.monitoring.mlflow_runs == "findings" and run.severity is not None
    ):
        log_monitor_run(root, config.tracking, run, report, drawn)
    return MonitorRunResult(report, judged, incidents, sent, run.severity)


def _save_run(
    state: State, config: Config, report: dict[str, Any]
) -> tuple[MonitorRun, tuple[RuleResult, ...], tuple[Incident, ...]]:
    server = fetch_server_metrics(config.alerts.server, config.serving)
    with state.writing() as connection:
        at = state.clock()
        fresh, before = store.read_freshness(connection, config.name), store.last_monitor_run(connection, config.name)
        facts = RuleInputs(config.name, at, report, fresh, before, server, config.monitoring.min_rows)
        judged = evaluate_rules(config.alerts.rules, facts)
        speaking = [one for one in judged if one.is_firing]
        window = report["drift"]["window"]
        run = store.MonitorRun(
            config.name,
            store.current_deployment(connection, config.name).version("Production"),
            at,
            _to_microseconds(window["since"]),
            _to_microseconds(window["until"]),
            report["drift"]["verdict"],
            highest_severity(speaking) if speaking else None,
            summarize_run(report, judged, server),
        )
        store.add_monitor_run(connection, run)
        return run, judged, update_incidents(connection, config.alerts, config.name, judged, report, at=at)


def _to_microseconds(moment: str) -> int:
    return round(datetime.fromisoformat(moment).timestamp() * 1_000_000)


def _print_summary(result: MonitorRunResult) -> MonitorRunResult:
    """Say on the terminal what a run came to."""
    lines = [headline(result.report)]
    lines += [f"incident {one.seq} ({one.status}, {one.severity}): {one.title}" for one in result.incidents]
    if result.delivery_result.n_sent or result.delivery_result.n_failed_receivers:
        lines.append(f"{pluralize(result.delivery_result.n_sent, 'message')} sent")
    if result.delivery_result.n_failed_receivers:
        waits = pluralize(result.delivery_result.n_failed_receivers, "receiver")
        lines.append(
            f"{waits} could not be told ({result.delivery_result.error}); `mlops alerts deliver --follow` goes on trying"
        )
    lines.append(f"{paths.MONITORING_HTML} has the pictures")
    sys.stdout.write("".join(f"[monitor] {line}\n" for line in lines))
    sys.stdout.flush()
    return result
