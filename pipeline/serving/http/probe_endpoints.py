"""The endpoints of liveness and readiness probes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.serving.http.authentication import PUBLIC
from pipeline.serving.http.engine_responses import model_identity, readiness_response
from pipeline.serving.http.messages import HttpResponse
from pipeline.serving.http.router import route

if TYPE_CHECKING:
    from pipeline.serving.engine import Engine
    from pipeline.serving.http.application import ServerStatus
    from pipeline.serving.http.messages import HttpRequest

__all__ = ["ProbeEndpoints"]


@dataclass(frozen=True, slots=True)
class ProbeEndpoints:
    """Probes of one engine and its server."""

    engine: Engine
    server_status: ServerStatus

    @route(
        "GET",
        "/livez",
        role=PUBLIC,
        is_probe=True,
        tag="probes",
        response="Liveness",
        summary="Report that the process responds",
    )
    @route(
        "GET",
        "/v2/health/live",
        name="v2_live",
        role=PUBLIC,
        is_probe=True,
        tag="probes",
        response="Liveness",
        summary="Report that the process responds",
    )
    async def live(self, _request: HttpRequest) -> HttpResponse:
        """Respond without calling the engine."""
        return HttpResponse(b'{"live":true}')

    @route(
        "GET",
        "/readyz",
        role=PUBLIC,
        is_probe=True,
        tag="probes",
        response="Readiness",
        summary="Report whether the server can predict",
    )
    @route(
        "GET",
        "/v2/health/ready",
        name="v2_ready",
        role=PUBLIC,
        is_probe=True,
        tag="probes",
        response="Readiness",
        summary="Report whether the server can predict",
    )
    async def ready(self, _request: HttpRequest) -> HttpResponse:
        """Report whether the server can predict."""
        return readiness_response(self.engine, self.server_status, {})

    @route(
        "GET",
        "/health",
        role=PUBLIC,
        is_probe=True,
        tag="probes",
        response="Readiness",
        summary="Report whether the server can predict, and its model",
    )
    async def health(self, _request: HttpRequest) -> HttpResponse:
        """Report whether the server can predict, and the model that it has loaded."""
        model = self.engine.loaded_model
        return readiness_response(self.engine, self.server_status, {} if model is None else model_identity(model))
