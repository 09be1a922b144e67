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

__all__ = ["Watched", "gauges_of"]

_KEPT_S = 10.0
_SEVERITIES = ("info", "warning", "critical")


@dataclass(frozen=True, slots=True)
class Seen:
    """The last run of the monitor, open incidents by severity, and messages that wait."""

    run: MonitorRun | None
    n_open: dict[str, int]
    n_waiting: int


@dataclass(slots=True)
class Watched:
    """Reads what the monitor left in the state database; one that is away leaves the figures as they were."""

    model: str
    _seen: Seen | None = field(default=None, init=False)
    _at_s: float = field(default=float("-inf"), init=False)

    async def families(self, state: State) -> list[Any]:
        """Return the gauges, at most ten seconds old."""
        if time.monotonic() - self._at_s >= _KEPT_S:
            self._at_s = time.monotonic()
            with suppress(MlopsError):  # it is away: readiness and the log's own figures say so
                self._seen = await asyncio.to_thread(self._read, state)
        return [] if self._seen is None else list(gauges_of(self._seen))

    def _read(self, state: State) -> Seen:
        with state.reading() as connection:
            found = store.incidents(connection, self.model)
            n_open = {name: sum(one.severity == name for one in found) for name in _SEVERITIES}
            return Seen(store.last_monitor_run(connection, self.model), n_open, store.count_waiting(connection))


def gauges_of(seen: Seen) -> Iterable[Any]:
    """Yield one family for each kind of figure; columns are at most a hundred, the most worrying ones."""
    from prometheus_client.core import GaugeMetricFamily

    opened = GaugeMetricFamily("mlops_incidents_open", "Incidents that are not resolved.", labels=["severity"])
    for severity, n in seen.n_open.items():
        opened.add_metric([severity], n)
    yield opened
    yield GaugeMetricFamily("mlops_alert_messages_waiting", "Messages that no receiver took yet.", value=seen.n_waiting)
    run = seen.run
    last = 0.0 if run is None else run.at / 1_000_000
    yield GaugeMetricFamily(
        "mlops_monitor_last_run_timestamp_seconds", "When the monitor last ran; 0 for never.", value=last
    )
    if run is None:
        return
    yield GaugeMetricFamily("mlops_monitor_window_rows", "Predictions of its window.", value=run.figures["n_rows"])
    yield GaugeMetricFamily(
        "mlops_monitor_window_outcomes", "Outcomes known of its window.", value=run.figures["n_outcomes"]
    )
    yield from _of_columns(run.figures["columns"])
    yield _of_metrics(run.figures["metrics"])


def _of_columns(columns: list[dict[str, Any]]) -> Iterable[Any]:
    from prometheus_client.core import GaugeMetricFamily

    value = GaugeMetricFamily("mlops_drift", "Distance from training.", labels=["column", "part", "statistic"])
    limit = GaugeMetricFamily("mlops_drift_limit", "Limit of that distance.", labels=["column", "part", "statistic"])
    verdict = GaugeMetricFamily("mlops_drift_detected", "1 where the verdict is drift.", labels=["column", "part"])
    for one in columns:
        verdict.add_metric([one["column"], one["part"]], float(one["verdict"] == "drift"))
        for family, key in ((value, "value"), (limit, "limit")):
            if one[key] is not None:
                family.add_metric([one["column"], one["part"], one["statistic"]], one[key])
    return value, limit, verdict


def _of_metrics(metrics: dict[str, dict[str, Any]]) -> Any:
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily(
        "mlops_performance",
        "Performance in the window, measured and expected, and its baseline.",
        labels=["metric", "kind"],
    )
    for name, one in metrics.items():
        for kind in ("measured", "expected", "baseline"):
            if one[kind] is not None:
                family.add_metric([name, kind], one[kind])
    return family
