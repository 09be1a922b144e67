"""Run the monitor once or periodically: evaluate, store, update incidents, notify, log to MLflow."""

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
from pipeline.alerts.rule_inputs import RuleInputs, fetch_server_metrics
from pipeline.alerts.run_summary import flatten_metrics, summarize_run
from pipeline.errors import ConfigError, MlopsError
from pipeline.monitoring import ModelMonitor
from pipeline.monitoring.monitoring_html import MonitoringContext, monitoring_report_html
from pipeline.monitoring.monitoring_text import report_headline
from pipeline.project import paths
from pipeline.report_index import write_report_index
from pipeline.schema import FeatureLabels
from pipeline.text import pluralize
from pipeline.tracing import child_span, root_span
from pipeline.tracking import make_tracker, print_tracking_warnings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from pipeline.config.groups.tracking_config import TrackingConfig
    from pipeline.config.root_config import Config
    from pipeline.monitoring.window_view import LogWindowView
    from pipeline.state import Incident, MonitorRun, State


__all__ = ["MonitorRunResult", "run_monitor", "run_monitor_once", "stop_on_signal"]

_RANGE_BEFORE_US = 3 * store.DAY_US
_PAGE_WINDOWS = 2  # the page draws drift over so many windows


@dataclass(frozen=True, slots=True)
class MonitorRunResult:
    """The report, rule results, incidents and deliveries of one run of the monitor."""

    report: dict[str, Any]
    rule_results: tuple[RuleResult, ...]
    incidents: tuple[Incident, ...]
    delivery_result: DeliveryResult
    severity: str | None

    def exit_code(self, config: Config) -> int:
        """Return `monitoring.exit_code` when a rule of at least `monitoring.exit_severity` fires, 0 otherwise."""
        threshold = SEVERITIES.index(config.monitoring.exit_severity)
        is_severe = self.severity is not None and SEVERITIES.index(self.severity) >= threshold
        return config.monitoring.exit_code if is_severe else 0


def run_monitor(config: Config, root: Path) -> int:
    """Run the monitor once or every `monitoring.interval_minutes`, and return the exit code of the last run.

    A signal ends the repetition.

    Raises
    ------
    Conflict
        When another monitor of this project is running.
    """
    with files.exclusive_lock(root / paths.MONITOR_LOCK, operation="the monitor"):
        if config.monitoring.interval_minutes == 0:
            return _print_summary(run_monitor_once(config, root)).exit_code(config)
        return _run_periodically(config, root)


def _run_periodically(config: Config, root: Path) -> int:
    """Run the monitor at its interval; a thread sends due messages meanwhile."""
    code, every_s = 0, 60 * config.monitoring.interval_minutes
    with stop_on_signal() as stop, _background_delivery(config, root, stop):
        while not stop.is_set():
            started = time.monotonic()
            try:
                code = _print_summary(run_monitor_once(config, root)).exit_code(config)
            except ConfigError:
                raise
            except MlopsError as error:
                sys.stderr.write(f"[monitor] {error}; the next run is in {config.monitoring.interval_minutes:g} min\n")
            stop.wait(max(every_s - (time.monotonic() - started), 0.0))
    return code


@contextmanager
def stop_on_signal() -> Iterator[threading.Event]:
    """Yield an event that SIGTERM or Ctrl-C sets; restore the earlier handlers afterwards."""
    stop = threading.Event()
    handlers = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


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


def run_monitor_once(config: Config, root: Path, *, clock: Callable[[], int] | None = None) -> MonitorRunResult:
    """Evaluate the window, store it with its incidents in one transaction, send due messages, log to MLflow.

    `clock` returns the current moment in microseconds since 1970, UTC; that of the database when None.
    """
    with root_span("monitor run", "mlops-monitor"):
        return _run_traced(ModelMonitor(config.name, root=root, config=config, clock=clock), config, root)


def _run_traced(monitor: ModelMonitor, config: Config, root: Path) -> MonitorRunResult:
    with monitor.open_window() as view:
        labels = FeatureLabels.from_schema(view.package.schema)
        with child_span("evaluate the window"):
            report = {**view.report(), "audit_head": _audit_head(view.log.state), **_origin(view)}
        files.write_json(root / paths.MONITORING_REPORT, report)
        with child_span("update incidents"):
            saved = _save_run(view.log.state, config, report, labels=labels)
        with child_span("write the page"):
            context = _page_context(view, config, saved, labels)
            page = monitoring_report_html(report, context, index_address=paths.REPORT_INDEX.name)
            files.write_text(root / paths.MONITORING_HTML, page)
            write_report_index(root)
        with child_span("send messages"):
            delivery_result = deliver_due_messages(view.log.state, config.alerts)
    severity = saved.run.severity
    if config.monitoring.mlflow_runs == "all" or (config.monitoring.mlflow_runs == "findings" and severity is not None):
        _log_to_mlflow(root, config.tracking, saved.run, report, html=monitoring_report_html(report, context))
    return MonitorRunResult(report, saved.rule_results, saved.incidents, delivery_result, severity)


def _origin(view: LogWindowView) -> dict[str, Any]:
    """Return the version that was evaluated, and since when each column drifts and each metric is degraded.

    The range begins before the oldest open incident, so that a long drift keeps its start.
    """
    log = view.log
    version = log.version_names().get(view.package.digest)
    columns = set(view.drift.drifted_columns)
    degraded = [change.metric for change in view.detect_degradation() if change.verdict == "degraded"]
    with log.state.reading() as connection:
        opened = [incident.opened_at for incident in store.read_incidents(connection, view.model)]
    begin = min([view.now, *opened]) - _RANGE_BEFORE_US
    drift = view.drift_lines(baseline="training", columns=columns, since=begin) if columns else ()
    metrics = view.metric_lines(degraded, since=begin) if degraded else ()
    return {
        "version": None if version is None else int(version),
        "drifting_since": {line.column: line.beyond_since for line in drift if line.beyond_since is not None},
        "degraded_since": {line.metric: line.beyond_since for line in metrics if line.beyond_since is not None},
    }


def _page_context(view: LogWindowView, config: Config, saved: _SavedRun, labels: FeatureLabels) -> MonitoringContext:
    """Return what the page shows around the report: version, open incidents, drift of notable columns over time."""
    run = saved.run
    with view.log.state.reading() as connection:
        versions = store.read_versions(connection, config.name)
        incidents = store.read_incidents(connection, config.name)
    commit = next((known.tags.get("git.commit", "") for known in versions if known.version == run.version), "")
    notable = {finding.column for finding in view.drift.findings if finding.verdict in ("drift", "watch")}
    since = view.window.until - _PAGE_WINDOWS * config.monitoring.window_hours * store.HOUR_US
    lines = view.drift_lines(baseline="training", columns=notable, since=since) if notable else ()
    return MonitoringContext(
        recorded_at=run.recorded_at,
        version=run.version,
        commit=commit[:8],
        incidents=incidents,
        drift_lines=lines,
        labels=labels,
    )


def _audit_head(state: State) -> str:
    """Return the head of the audit trail; a report, which is stored outside of the database, anchors it."""
    with state.reading() as connection:
        return str(store.read_audit_head(connection))


@dataclass(frozen=True, slots=True)
class _SavedRun:
    run: MonitorRun
    rule_results: tuple[RuleResult, ...]
    incidents: tuple[Incident, ...]


def _save_run(state: State, config: Config, report: dict[str, Any], *, labels: FeatureLabels) -> _SavedRun:
    server = fetch_server_metrics(config.alerts.server, config.serving)
    with state.writing() as connection:
        at = state.clock()
        inputs = RuleInputs(
            model=config.name,
            evaluated_at=at,
            report=report,
            freshness=store.read_freshness(connection, config.name, at=at),
            previous_run=store.last_monitor_run(connection, config.name),
            server_metrics=server,
            min_rows=config.monitoring.min_rows,
            loop=store.read_loop_facts(connection, config.name),
            loop_mode=config.lifecycle.mode,
        )
        results = evaluate_rules(config.alerts.rules, inputs)
        firing = [result for result in results if result.is_firing]
        window = report["drift"]["window"]
        run = store.MonitorRun(
            model=config.name,
            version=store.current_deployment(connection, config.name).version("Production"),
            recorded_at=at,
            since=_to_microseconds(window["since"]),
            until=_to_microseconds(window["until"]),
            verdict=report["drift"]["verdict"],
            severity=highest_severity(firing) if firing else None,
            summary=summarize_run(report, results, server),
        )
        store.add_monitor_run(connection, run)
        incidents = update_incidents(connection, config.alerts, config.name, results, report, at=at, labels=labels)
        return _SavedRun(run, results, incidents)


def _log_to_mlflow(
    root: Path, config: TrackingConfig, run: MonitorRun, report: Mapping[str, Any], *, html: str
) -> None:
    """Log one run of the monitor as one run of MLflow; while the store is down, the run waits in the outbox."""
    tracker = make_tracker(config, root)
    tags = {
        "mlops.kind": "monitoring",
        "mlops.model": run.model,
        "mlops.verdict": run.verdict,
        "mlops.severity": run.severity or "none",
        "mlops.audit_head": report["audit_head"],
        "mlops.window.since": report["drift"]["window"]["since"],
        "mlops.window.until": report["drift"]["window"]["until"],
    }
    with print_tracking_warnings(), tracker.start_run(f"monitoring {run.model}", tags=tags):
        tracker.log_metrics(flatten_metrics(run.summary))
        tracker.log_dict(dict(report), "monitoring.json")
        tracker.log_text(html, "monitoring.html")


def _to_microseconds(moment: str) -> int:
    return round(datetime.fromisoformat(moment).timestamp() * 1_000_000)


def _print_summary(result: MonitorRunResult) -> MonitorRunResult:
    """Print the result of a run."""
    lines = [report_headline(result.report)]
    lines += [
        f"incident {incident.seq} ({incident.status}, {incident.severity}): {incident.title}"
        for incident in result.incidents
    ]
    if result.delivery_result.n_sent or result.delivery_result.n_failed_receivers:
        lines.append(f"{pluralize(result.delivery_result.n_sent, 'message')} sent")
    if result.delivery_result.n_failed_receivers:
        receivers = pluralize(result.delivery_result.n_failed_receivers, "receiver")
        lines.append(
            f"{receivers} unreachable ({result.delivery_result.error}); retry with `mlops alerts deliver --follow`"
        )
    lines.append(f"{paths.MONITORING_HTML} shows the charts")
    sys.stdout.write("".join(f"[monitor] {line}\n" for line in lines))
    sys.stdout.flush()
    return result
