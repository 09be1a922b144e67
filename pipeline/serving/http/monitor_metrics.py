"""Show what the monitor last found as gauges: read from the state database beside the loop, and kept for some seconds."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline import state as store
from pipeline.errors import MlopsError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.state import MonitorRun, State

__all__ = ["MonitorMetrics", "monitor_gauges"]

_CACHE_S = 10.0
_SEVERITIES = ("info", "warning", "critical")


@dataclass(frozen=True, slots=True)
class MonitorSnapshot:
    """The last run of the monitor, open incidents by severity, and messages that wait."""

    run: MonitorRun | None
    n_open_incidents: dict[str, int]
    n_pending_messages: int


@dataclass(slots=True)
class MonitorMetrics:
    """Reads what the monitor left in the state database; one that is away leaves the figures as they were."""

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
            with suppress(MlopsError):  # it is away: readiness and the log's own figures say so
                self._snapshot = await asyncio.to_thread(self._read_snapshot, self.state)
        return [] if self._snapshot is None else list(monitor_gauges(self._snapshot))

    def _read_snapshot(self, state: State) -> MonitorSnapshot:
        with state.reading() as connection:
            found = store.read_incidents(connection, self.model)
            n_open = {name: sum(one.severity == name for one in found) for name in _SEVERITIES}
            return MonitorSnapshot(
                store.last_monitor_run(connection, self.model), n_open, store.count_undelivered(connection)
            )


def monitor_gauges(snapshot: MonitorSnapshot) -> Iterable[Any]:
    """Yield one family for each kind of figure; columns are at most a hundred, the most worrying ones."""
    from prometheus_client.core import GaugeMetricFamily

    opened = GaugeMetricFamily("mlops_incidents_open", "Incidents that are not resolved.", labels=["severity"])
    for severity, n in snapshot.n_open_incidents.items():
        opened.add_metric([severity], n)
    yield opened
    yield GaugeMetricFamily(
        "mlops_notifications_pending",
        "Number of notifications that no receiver has accepted yet.",
        value=snapshot.n_pending_messages,
    )
    run = snapshot.run
    last = 0.0 if run is None else run.recorded_at / 1_000_000
    yield GaugeMetricFamily(
        "mlops_monitor_last_run_timestamp_seconds", "When the monitor last ran; 0 for never.", value=last
    )
    if run is None:
        return
    yield GaugeMetricFamily("mlops_monitor_window_rows", "Predictions of its window.", value=run.summary["n_rows"])
    yield GaugeMetricFamily(
        "mlops_monitor_window_outcomes", "Outcomes known of its window.", value=run.summary["n_outcomes"]
    )
    yield from _drift_gauges(run.summary["columns"])
    yield _performance_gauge(run.summary["metrics"])


def _drift_gauges(columns: list[dict[str, Any]]) -> Iterable[Any]:
    from prometheus_client.core import GaugeMetricFamily

    value = GaugeMetricFamily(
        "mlops_drift_statistic", "Distance from the reference.", labels=["column", "kind", "statistic"]
    )
    limit = GaugeMetricFamily(
        "mlops_drift_threshold", "Threshold of the drift statistic.", labels=["column", "kind", "statistic"]
    )
    verdict = GaugeMetricFamily("mlops_drift_detected", "1 where the verdict is drift.", labels=["column", "kind"])
    for one in columns:
        verdict.add_metric([one["column"], one["kind"]], float(one["verdict"] == "drift"))
        for family, key in ((value, "value"), (limit, "threshold")):
            if one[key] is not None:
                family.add_metric([one["column"], one["kind"], one["statistic"]], one[key])
    return value, limit, verdict


def _performance_gauge(metrics: dict[str, dict[str, Any]]) -> Any:
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily(
        "mlops_performance",
        "Performance in the window: realized, estimated, and the baseline.",
        labels=["metric", "kind"],
    )
    for name, one in metrics.items():
        for kind in ("realized", "estimated", "baseline"):
            if one[kind] is not None:
                family.add_metric([name, kind], one[kind])
    return family
