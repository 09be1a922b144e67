"""Metrics of the HTTP server: request counts and durations, and the export of all metrics for Prometheus."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.serving.histogram import Histogram
from pipeline.serving.http.metrics_encoding import encode_metrics

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from prometheus_client.core import Exemplar

    from pipeline.serving.http.metrics_encoding import EncodedMetrics

__all__ = ["RequestMetrics", "TracedDuration", "add_histogram"]

# Seconds: the first buckets separate models by their cost, the last ones cover what a person notices.
_DURATION_BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

_SERVER_GAUGES = {
    "http_connections": "Number of open connections.",
    "http_draining": "1 while the server finishes its last requests before it stops, otherwise 0.",
    "http_requests_in_flight": "Number of requests whose body has arrived and whose response is not written.",
}


class TracedDuration(NamedTuple):
    """The duration of a request whose trace is recorded; `ended_at_s` is in seconds since 1970."""

    trace_id: str
    duration_s: float
    ended_at_s: float


@dataclass(slots=True)
class RequestMetrics:
    """Counts and durations of requests. Their labels are route names and status codes, so their number is bounded.

    `traced_durations` has the last traced request of each operation and bucket; it is empty without tracing.
    """

    request_counts: Counter[tuple[str, int]] = field(default_factory=Counter)
    durations_s: dict[str, Histogram] = field(default_factory=dict)
    traced_durations: dict[str, dict[str, TracedDuration]] = field(default_factory=dict)

    def observe(self, operation: str, status: int, duration_s: float) -> None:
        """Count one request after its response."""
        self.request_counts[operation, status] += 1
        histogram = self.durations_s.get(operation)
        if histogram is None:
            histogram = self.durations_s[operation] = Histogram(_DURATION_BOUNDS_S)
        histogram.observe(duration_s)

    def to_prometheus(
        self,
        server_gauges: Mapping[str, float],
        n_shed: int,
        engine_status: Mapping[str, Any],
        monitor_families: Iterable[Any] = (),
        *,
        accept: str = "",
    ) -> EncodedMetrics:
        """Return all metrics, in a format that the caller accepts.

        Parameters
        ----------
        server_gauges : mapping
            Values of the gauges of the HTTP server, by name without the prefix `mlops_`.
        n_shed : int
            Requests that were refused because of overload.
        engine_status : mapping
            What `Engine.status` returns.
        monitor_families : iterable
            Metric families of the last monitor run.
        accept : str
            The header `Accept` of the caller.
        """
        families = [*self._request_families(server_gauges, n_shed), *_engine_families(engine_status), *monitor_families]
        return encode_metrics(families, model=engine_status["model"], accept=accept)

    def _request_families(self, server_gauges: Mapping[str, float], n_shed: int) -> Iterable[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        requests = CounterMetricFamily(
            "mlops_http_requests", "Number of requests by operation and status.", labels=["operation", "status"]
        )
        for (operation, status), count in sorted(self.request_counts.items()):
            requests.add_metric([operation, str(status)], count)
        yield requests
        durations = HistogramMetricFamily(
            "mlops_http_request_duration_seconds",
            "Duration of a request from its headers to its response, in seconds.",
            labels=["operation"],
        )
        for operation, histogram in sorted(self.durations_s.items()):
            add_histogram(durations, histogram.as_dict(), operation, exemplars=self._exemplars(operation))
        yield durations
        for name, value in server_gauges.items():
            yield GaugeMetricFamily(f"mlops_{name}", _SERVER_GAUGES[name], value=value)
        yield CounterMetricFamily(
            "mlops_http_requests_shed", "Number of requests refused with 503 because of overload.", value=n_shed
        )

    def _exemplars(self, operation: str) -> dict[str, Exemplar]:
        from prometheus_client.core import Exemplar

        traced = self.traced_durations.get(operation, {})
        return {
            bound: Exemplar({"trace_id": duration.trace_id}, duration.duration_s, duration.ended_at_s)
            for bound, duration in traced.items()
        }


def _engine_families(status: Mapping[str, Any]) -> Iterable[Any]:
    """Yield the metrics of predictions, of the loaded model and of the prediction log."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    active = status["active"] or {}
    predictions = CounterMetricFamily(
        "mlops_predictions", "Number of predicted rows by class and variant.", labels=["prediction", "variant"]
    )
    for variant, counts in status["by_class"].items():
        for class_name, count in sorted(counts.items()):
            predictions.add_metric([class_name, variant], count)
    yield predictions
    confidence = HistogramMetricFamily(
        "mlops_prediction_confidence", "Confidence of the predicted rows: the probability of the predicted class."
    )
    add_histogram(confidence, status["confidence"])
    yield confidence
    gauges = {
        "ready": (status["is_ready"], "1 while the server can predict, otherwise 0."),
        "model_version": (active.get("version", 0), "Version of the loaded model; 0 without a model."),
        "model_generation": (active.get("generation", 0), "Number of the deployment that is loaded; 0 without one."),
    }
    for name, (value, help_text) in gauges.items():
        yield GaugeMetricFamily(f"mlops_{name}", help_text, value=float(value))
    if status["trial"] is not None:
        yield from _trial_families(status["trial"])
    yield from _log_families(status["log"], status["queue_rows"])


def _trial_families(trial: Mapping[str, Any]) -> Iterable[Any]:
    """Yield what this server counts of both variants while a challenger gets requests."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    is_stopped = trial["stop_reason"] is not None
    share = GaugeMetricFamily(
        "mlops_trial_share", "Share of the requests that the challenger gets from this server.", labels=["trial"]
    )
    share.add_metric([str(trial["id"])], 0.0 if is_stopped else trial["share"])
    stopped = GaugeMetricFamily(
        "mlops_trial_stopped", "1 after this server stopped the challenger, otherwise 0.", labels=["trial"]
    )
    stopped.add_metric([str(trial["id"])], float(is_stopped))
    errors = CounterMetricFamily(
        "mlops_variant_errors", "Number of requests in which a variant failed.", labels=["variant"]
    )
    durations = HistogramMetricFamily(
        "mlops_variant_seconds", "Duration of the scored batches of a variant, in seconds.", labels=["variant"]
    )
    for variant, counts in trial["variants"].items():
        errors.add_metric([variant], counts["n_errors"])
        add_histogram(durations, counts["duration_s"], variant)
    yield from (share, stopped, errors, durations)


def _log_families(log: Mapping[str, Any], n_queued_rows: int) -> Iterable[Any]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    prefix = "mlops_prediction_log"
    rows = CounterMetricFamily(
        f"{prefix}_rows",
        "Number of predicted rows by result: committed to the log, not committed, or not to be logged.",
        labels=["result"],
    )
    rows.add_metric(["logged"], log["n_logged"])
    rows.add_metric(["unlogged"], log["n_unlogged"])
    rows.add_metric(["opted_out"], log["n_opted_out"])
    yield rows
    yield CounterMetricFamily(
        f"{prefix}_commit_failures", "Number of commits to the log that failed.", value=log["n_failures"]
    )
    yield GaugeMetricFamily(f"{prefix}_queue_rows", "Number of rows that wait for the log.", value=n_queued_rows)
    yield GaugeMetricFamily(
        f"{prefix}_healthy",
        "1 while rows can be committed to the log, otherwise 0.",
        value=float(not log["is_failing"]),
    )
    durations = HistogramMetricFamily(
        f"{prefix}_commit_duration_seconds", "Duration of a commit to the log, in seconds."
    )
    add_histogram(durations, log["commit_duration_s"])
    yield durations


def add_histogram(
    family: Any, histogram: Mapping[str, Any], *labels: str, exemplars: Mapping[str, Exemplar] | None = None
) -> None:
    """Add what `Histogram.as_dict` returns to a metric family of histograms; exemplars are by the bound of a bucket."""
    found = exemplars or {}
    buckets = [(bound, count, found.get(bound)) for bound, count in histogram["buckets"].items()]
    family.add_metric(labels, buckets, histogram["sum"])
