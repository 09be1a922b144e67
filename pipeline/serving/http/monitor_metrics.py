"""Export the last runs of monitor and loop, open incidents, retrains and pending work as Prometheus gauges."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline import state as store
from pipeline.errors import MlopsError
from pipeline.state import LoopFacts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.state import LoopDecision, MonitorRun, State

__all__ = ["MonitorMetrics", "monitor_gauges"]

_CACHE_S = 10.0
_SEVERITIES = ("info", "warning", "critical")
_UNKNOWN_VERDICTS = ("not_enough_data", "not_evaluated")


@dataclass(frozen=True, slots=True)
class MonitorSnapshot:
    """The last monitor run, open incidents by severity, the number of pending notifications, and the loop."""

    run: MonitorRun | None
    n_open_incidents: dict[str, int]
    n_pending_notifications: int
    loop: LoopFacts = field(default_factory=LoopFacts)


@dataclass(slots=True)
class MonitorMetrics:
    """Reads the results of monitor and loop from the state database, at most every ten seconds.

    While the database is unavailable, the last values stay.
    """

    model: str
    state: State | None = None
    _snapshot: MonitorSnapshot | None = field(default=None, init=False)
    _read_at_s: float = field(default=float("-inf"), init=False)

    async def families(self) -> list[Any]:
        """Return the gauges, at most ten seconds old; none until `state` is set."""
        if self.state is None:
            return []
        if time.monotonic() - self._read_at_s >= _CACHE_S:
            self._read_at_s = time.monotonic()
            with suppress(MlopsError):  # readiness and the metrics of the log report the outage
                self._snapshot = await asyncio.to_thread(self._read_snapshot, self.state)
        return [] if self._snapshot is None else list(monitor_gauges(self._snapshot))

    def _read_snapshot(self, state: State) -> MonitorSnapshot:
        with state.reading() as connection:
            incidents = store.read_incidents(connection, self.model)
            n_open = {name: sum(incident.severity == name for incident in incidents) for name in _SEVERITIES}
            return MonitorSnapshot(
                store.last_monitor_run(connection, self.model),
                n_open,
                store.count_undelivered(connection),
                store.read_loop_facts(connection, self.model),
            )


def monitor_gauges(snapshot: MonitorSnapshot) -> Iterable[Any]:
    """Yield the metric families of a snapshot; at most the hundred columns with the highest priority are labels."""
    from prometheus_client.core import GaugeMetricFamily

    incidents = GaugeMetricFamily("mlops_incidents_open", "Number of open incidents by severity.", labels=["severity"])
    for severity, n_open in snapshot.n_open_incidents.items():
        incidents.add_metric([severity], n_open)
    yield incidents
    run = snapshot.run
    gauges = {
        "mlops_notifications_pending": (
            "Number of notifications that no receiver has accepted yet.",
            snapshot.n_pending_notifications,
        ),
        "mlops_monitor_last_run_timestamp_seconds": (
            "Time of the last monitor run, in seconds since 1970; 0 without a run.",
            0.0 if run is None else run.recorded_at / 1_000_000,
        ),
    }
    if run is not None:
        gauges |= {
            "mlops_monitor_window_rows": ("Number of predictions in the monitored window.", run.summary["n_rows"]),
            "mlops_monitor_window_outcomes": ("Number of outcomes in the monitored window.", run.summary["n_outcomes"]),
        }
    for name, (help_text, value) in gauges.items():
        yield GaugeMetricFamily(name, help_text, value=value)
    yield from _loop_gauges(snapshot.loop)
    if run is not None:
        yield from _drift_gauges(run.summary["columns"])
        yield _performance_gauge(run.summary["metrics"])


def _loop_gauges(facts: LoopFacts) -> Iterable[Any]:
    from prometheus_client.core import GaugeMetricFamily

    run = facts.last_run
    yield GaugeMetricFamily(
        "mlops_loop_last_run_timestamp_seconds",
        "Time of the last run of the loop, in seconds since 1970; 0 without a run.",
        value=0.0 if run is None else run.recorded_at / 1_000_000,
    )
    yield GaugeMetricFamily(
        "mlops_loop_waiting_decisions",
        "Number of proposals and candidates that wait for a person.",
        value=len(facts.waiting),
    )
    retrains = GaugeMetricFamily("mlops_retrains", "Number of retrains by state.", labels=["state"])
    for state, n in facts.n_retrains_by_state.items():
        retrains.add_metric([state], n)
    yield retrains
    yield from _trial_gauges(() if run is None else run.decisions)


def _trial_gauges(decisions: Iterable[LoopDecision]) -> Iterable[Any]:
    """Yield the comparison of each trial that the last run of the loop looked at."""
    from prometheus_client.core import GaugeMetricFamily

    gain = GaugeMetricFamily(
        "mlops_trial_gain",
        "Loss of the champion minus that of the challenger: estimate, and lower and upper bound of the interval.",
        labels=["trial", "bound"],
    )
    outcomes = GaugeMetricFamily(
        "mlops_trial_outcomes", "Number of outcomes that compare champion and challenger.", labels=["trial"]
    )
    for decision in decisions:
        verdict = decision.facts.get("verdict")
        if not decision.subject.startswith("trial ") or not isinstance(verdict, dict):
            continue
        trial = decision.subject.removeprefix("trial ")
        outcomes.add_metric([trial], verdict["n_outcomes"])
        for bound, value in (("estimate", "gain"), ("lower", "lower"), ("upper", "upper")):
            if verdict[value] is not None:
                gain.add_metric([trial, bound], verdict[value])
    yield from (gain, outcomes)


def _drift_gauges(columns: list[dict[str, Any]]) -> Iterable[Any]:
    from prometheus_client.core import GaugeMetricFamily

    labels = ["column", "kind", "statistic"]
    statistic = GaugeMetricFamily(
        "mlops_drift_statistic", "Distance of a column's distribution from the reference.", labels=labels
    )
    threshold = GaugeMetricFamily("mlops_drift_threshold", "Threshold of the drift statistic.", labels=labels)
    detected = GaugeMetricFamily(
        "mlops_drift_detected",
        "1 if the column has drifted, otherwise 0; absent without a verdict.",
        labels=["column", "kind"],
    )
    for column in columns:
        if column["verdict"] not in _UNKNOWN_VERDICTS:
            detected.add_metric([column["column"], column["kind"]], float(column["verdict"] == "drift"))
        for family, key in ((statistic, "value"), (threshold, "threshold")):
            if column[key] is not None:
                family.add_metric([column["column"], column["kind"], column["statistic"]], column[key])
    yield from (statistic, threshold, detected)


def _performance_gauge(metrics: dict[str, dict[str, Any]]) -> Any:
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily(
        "mlops_performance",
        "Performance metric in the monitored window: realized, estimated, or of the baseline.",
        labels=["metric", "kind"],
    )
    for name, values in metrics.items():
        for kind in ("realized", "estimated", "baseline"):
            if values[kind] is not None:
                family.add_metric([name, kind], values[kind])
    return family
