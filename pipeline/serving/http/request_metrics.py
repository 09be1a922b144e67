"""Count requests and their time, and write them out with the engine's figures in Prometheus' form."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["RequestMetrics"]

# Seconds; the first tell apart what a model costs, the last what a person notices.
_BUCKET_BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
MEDIA_TYPE = b"text/plain; version=0.0.4; charset=utf-8"


@dataclass(slots=True)
class _DurationHistogram:
    counts: list[int] = field(default_factory=lambda: [0] * (len(_BUCKET_BOUNDS_S) + 1))
    total_s: float = 0.0


@dataclass(slots=True)
class RequestMetrics:
    """Figures of the requests. Labels are names of operations and status codes: their number is bounded."""

    request_counts: Counter[tuple[str, int]] = field(default_factory=Counter)
    durations: dict[str, _DurationHistogram] = field(default_factory=dict)

    def observe(self, operation: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        self.request_counts[operation, status] += 1
        times = self.durations.get(operation)
        if times is None:
            times = self.durations[operation] = _DurationHistogram()
        times.counts[bisect_left(_BUCKET_BOUNDS_S, seconds)] += 1
        times.total_s += seconds

    def to_prometheus(
        self,
        gauges: Mapping[str, float],
        counters: Mapping[str, float],
        engine_status: Mapping[str, Any],
        monitor_families: Iterable[Any] = (),
    ) -> bytes:
        """Return everything in Prometheus' text form; `engine` is what the engine says of itself, `watched` what the monitor found."""
        from prometheus_client import CollectorRegistry
        from prometheus_client.exposition import generate_latest

        registry = CollectorRegistry(auto_describe=False)
        registry.register(
            _StaticCollector(
                [*self._request_families(gauges, counters), *_engine_families(engine_status), *monitor_families]
            )
        )
        return bytes(generate_latest(registry))

    def _request_families(self, gauges: Mapping[str, float], counters: Mapping[str, float]) -> Iterable[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        answered = CounterMetricFamily("mlops_http_requests", "Answered requests.", labels=["operation", "status"])
        for (operation, status), count in sorted(self.request_counts.items()):
            answered.add_metric([operation, str(status)], count)
        yield answered
        took = HistogramMetricFamily("mlops_http_request_seconds", "From head to answer.", labels=["operation"])
        for operation, times in sorted(self.durations.items()):
            edges = [*(str(edge) for edge in _BUCKET_BOUNDS_S), "+Inf"]
            took.add_metric([operation], list(zip(edges, accumulate(times.counts), strict=True)), times.total_s)
        yield took
        for name, value in gauges.items():
            yield GaugeMetricFamily(f"mlops_{name}", name.replace("_", " "), value=value)
        for name, value in counters.items():
            yield CounterMetricFamily(f"mlops_{name}", name.replace("_", " "), value=value)


def _engine_families(status: Mapping[str, Any]) -> Iterable[Any]:
    """Yield the figures of predictions and of their log."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    log, active = status["log"], status["active"] or {}
    rows = CounterMetricFamily("mlops_predictions", "Predicted rows by class.", labels=["prediction"])
    for name, count in sorted(status["by_class"].items()):
        rows.add_metric([name], count)
    yield rows
    sure = CounterMetricFamily(
        "mlops_prediction_confidence", "Predicted rows by tenth of confidence.", labels=["tenth"]
    )
    for tenth, count in enumerate(status["by_confidence"]):
        sure.add_metric([str(tenth)], count)
    yield sure
    gauges = {
        "ready": (status["is_ready"], "1 when predictions can be answered."),
        "model_version": (active.get("version", 0), "Version that serves; 0 when none does."),
        "model_generation": (active.get("generation", 0), "Number of the decision that serves."),
        "log_queue_rows": (status["queue_rows"], "Rows that wait for the log."),
        "log_failing": (log["is_failing"], "1 when the log cannot be written."),
        "log_last_commit_seconds": (log["last_commit_s"] or 0, "How long the last commit took."),
    }
    for name, (value, told) in gauges.items():
        yield GaugeMetricFamily(f"mlops_{name}", told, value=float(value))
    for name, told in (
        ("logged", "Rows in the log."),
        ("unlogged", "Rows answered without it."),
        ("failures", "Failed commits."),
    ):
        yield CounterMetricFamily(f"mlops_log_{name}", told, value=float(log[f"n_{name}"]))


@dataclass(slots=True, eq=False)
class _StaticCollector:
    """What prometheus_client wants to be asked."""

    families: list[Any]

    def collect(self) -> Iterable[Any]:
        return self.families
