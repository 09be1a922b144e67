"""The inputs of alert rules, collected once for a run of the monitor."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.production_status.api_probe import get_from_server, server_address

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.config.groups.alerts_config import MonitoredServerConfig
    from pipeline.config.groups.serving_config import ServingConfig
    from pipeline.state import Freshness, LoopFacts, LoopMode, MonitorRun

__all__ = ["RuleInputs", "ServerMetrics", "fetch_server_metrics"]

_TIMEOUT_S = 3.0
_MAX_BYTES = 8_000_000
_REQUESTS_METRIC = "mlops_http_requests_total"
_QUEUE_METRIC, _HEALTHY_METRIC = "mlops_prediction_log_queue_rows", "mlops_prediction_log_healthy"


@dataclass(frozen=True, slots=True)
class ServerMetrics:
    """Counters of a server since its start: responses, server errors, queued rows."""

    n_responses: float
    n_errors: float
    n_queued_rows: float
    is_log_failing: bool

    def as_dict(self) -> dict[str, float]:
        """Return plain values; the next run computes the difference to them."""
        return {"n_responses": self.n_responses, "n_errors": self.n_errors}


@dataclass(frozen=True, slots=True)
class RuleInputs:
    """The inputs at `evaluated_at` (microseconds since 1970, UTC).

    `server_metrics` is None without a response of a server; `previous_run` is None for the first run.
    """

    model: str
    evaluated_at: int
    report: Mapping[str, Any]
    freshness: Freshness
    previous_run: MonitorRun | None
    server_metrics: ServerMetrics | None
    min_rows: int
    loop: LoopFacts
    loop_mode: LoopMode

    @property
    def responses_since_previous_run(self) -> tuple[float, float] | None:
        """Responses and errors since the previous run; None where they are unknown, or there are none."""
        if self.server_metrics is None or self.previous_run is None or not self.previous_run.summary.get("server"):
            return None
        earlier = self.previous_run.summary["server"]
        if self.server_metrics.n_responses < earlier["n_responses"]:  # the server was restarted
            earlier = {"n_responses": 0.0, "n_errors": 0.0}
        n_responses = self.server_metrics.n_responses - earlier["n_responses"]
        n_errors = max(self.server_metrics.n_errors - earlier["n_errors"], 0.0)
        return (n_responses, n_errors) if n_responses > 0 else None


def fetch_server_metrics(config: MonitoredServerConfig, serving: ServingConfig) -> ServerMetrics | None:
    """Return the metrics of the server; None where no server responds with them.

    Raises
    ------
    ConfigError
        When the address in the environment is not valid.
    """
    address = server_address(config, serving)
    key = os.environ.get(config.api_key_env)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        status, body = get_from_server(address, "/metrics", timeout_s=_TIMEOUT_S, max_bytes=_MAX_BYTES, headers=headers)
        return _parse_metrics(body.decode("utf-8", "replace")) if status == 200 else None
    except (OSError, ValueError):
        return None


def _parse_metrics(text: str) -> ServerMetrics | None:
    from prometheus_client.parser import text_string_to_metric_families

    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    responses = [sample for sample in samples if sample.name == _REQUESTS_METRIC]
    gauges = {sample.name: sample.value for sample in samples if sample.name in (_QUEUE_METRIC, _HEALTHY_METRIC)}
    if _QUEUE_METRIC not in gauges:
        return None  # another program responds at this address
    return ServerMetrics(
        n_responses=sum(sample.value for sample in responses),
        n_errors=sum(sample.value for sample in responses if sample.labels["status"].startswith("5")),
        n_queued_rows=gauges[_QUEUE_METRIC],
        is_log_failing=gauges.get(_HEALTHY_METRIC, 1.0) == 0.0,
    )
