"""Everything that rules look at, gathered once for a run of the monitor."""

from __future__ import annotations

import http.client
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.config.groups.alerts_config import MonitoredServerConfig
    from pipeline.config.groups.serving_config import ServingConfig
    from pipeline.state import Freshness, MonitorRun

__all__ = ["RuleInputs", "ServerMetrics", "fetch_server_metrics"]

_TIMEOUT_S = 3.0
_MAX_BYTES = 8_000_000
_REQUESTS_METRIC = "mlops_http_requests_total"
_QUEUE_METRIC, _HEALTHY_METRIC = "mlops_prediction_log_queue_rows", "mlops_prediction_log_healthy"


@dataclass(frozen=True, slots=True)
class ServerMetrics:
    """What a server says of itself since it started: answers, those that were its own fault, and rows that wait."""

    n_responses: float
    n_errors: float
    n_queued_rows: float
    is_log_failing: bool

    def as_dict(self) -> dict[str, float]:
        """Return plain values, from which the next run takes the difference."""
        return {"n_answers": self.n_responses, "n_errors": self.n_errors}


@dataclass(frozen=True, slots=True)
class RuleInputs:
    """What is known at a moment (microseconds since 1970, UTC).

    `server` is None where no server answered; `before` is the run before this one, None for the first.
    """

    model: str
    evaluated_at: int
    report: Mapping[str, Any]
    freshness: Freshness
    previous_run: MonitorRun | None
    server_metrics: ServerMetrics | None
    min_rows: int

    @property
    def responses_since_previous_run(self) -> tuple[float, float] | None:
        """Answers and errors since the run before; None where that is not known, or none was given."""
        if self.server_metrics is None or self.previous_run is None or not self.previous_run.summary.get("server"):
            return None
        then = self.previous_run.summary["server"]
        if (
            self.server_metrics.n_responses < then["n_answers"]
        ):  # the server started anew: what it says is what was since
            then = {"n_answers": 0.0, "n_errors": 0.0}
        n_answers = self.server_metrics.n_responses - then["n_answers"]
        return (n_answers, max(self.server_metrics.n_errors - then["n_errors"], 0.0)) if n_answers > 0 else None


def fetch_server_metrics(config: MonitoredServerConfig, serving: ServingConfig) -> ServerMetrics | None:
    """Return the figures of the server; None where none answers with them.

    Raises
    ------
    ConfigError
        When the address in the environment is none.
    """
    address = os.environ.get(config.url_env) or f"http://{serving.host}:{serving.port}"
    wrong = ConfigError(f"{config.url_env}: is no address; accepted: http://HOST:PORT or https://HOST:PORT")
    kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise wrong from error
    if parts.scheme not in kinds or not host:
        raise wrong
    key = os.environ.get(config.api_key_env)
    connection = kinds[parts.scheme](host, port, timeout=_TIMEOUT_S)
    try:
        connection.request(
            "GET", f"{parts.path.rstrip('/')}/metrics", headers={"Authorization": f"Bearer {key}"} if key else {}
        )
        answer = connection.getresponse()
        text = answer.read(_MAX_BYTES).decode("utf-8", "replace")
        return _parse_metrics(text) if answer.status == 200 else None
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


def _parse_metrics(text: str) -> ServerMetrics | None:
    from prometheus_client.parser import text_string_to_metric_families

    samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
    answers = [one for one in samples if one.name == _REQUESTS_METRIC]
    single = {one.name: one.value for one in samples if one.name in (_QUEUE_METRIC, _HEALTHY_METRIC)}
    if _QUEUE_METRIC not in single:
        return None  # another program answers at this address
    errors = [one.value for one in answers if one.labels["status"].startswith("5")]
    return ServerMetrics(
        sum(one.value for one in answers), sum(errors), single[_QUEUE_METRIC], single.get(_HEALTHY_METRIC, 1.0) == 0.0
    )
