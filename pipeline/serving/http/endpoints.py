"""The HTTP endpoints of predictions, outcomes, operation and descriptions; each route is declared above its handler."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.project.stage_digests import DISTRIBUTION, engine_version
from pipeline.serving.concurrency import run_in_thread_if_large
from pipeline.serving.http import docs_page, tabular
from pipeline.serving.http.engine_responses import html_response, model_identity, require_model, to_json
from pipeline.serving.http.index_page import IndexEndpoint
from pipeline.serving.http.kserve_v1_endpoints import KserveV1Endpoints
from pipeline.serving.http.messages import LOG_QUERY_PARAMS, HttpResponse
from pipeline.serving.http.open_inference_endpoints import OpenInferenceEndpoints
from pipeline.serving.http.openapi import openapi_document
from pipeline.serving.http.probe_endpoints import ProbeEndpoints
from pipeline.serving.http.router import JSON_ONLY, bind_routes, route
from pipeline.serving.http.trial_endpoints import TrialEndpoints

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.serving.engine import Engine
    from pipeline.serving.http.application import ServerStatus
    from pipeline.serving.http.limits import ConcurrencyLimiter
    from pipeline.serving.http.messages import HttpRequest
    from pipeline.serving.http.monitor_metrics import MonitorMetrics
    from pipeline.serving.http.production_reader import ProductionReader
    from pipeline.serving.http.router import Route
    from pipeline.serving.http.server_metrics import RequestMetrics
    from pipeline.serving.loaded_model import LoadedModel

__all__ = ["ENDPOINT_CLASSES", "Endpoints"]

_BATCH_MEDIA_TYPES = (*JSON_ONLY, *tabular.MEDIA_TYPES)
_LOG_PARAMETERS = (*LOG_QUERY_PARAMS, "idempotency_key", "subject")


@dataclass(frozen=True, slots=True)
class _Description:
    """The OpenAPI document and the docs page of one loaded model (None: no model is loaded)."""

    model: LoadedModel | None
    openapi_json: bytes
    docs_html: bytes


@dataclass(slots=True)
class Endpoints:
    """The endpoints of one engine.

    Parameters
    ----------
    engine : Engine
    request_metrics : RequestMetrics
    concurrency_limiter : ConcurrencyLimiter
    max_rows : int
        Rows that one request may have.
    server_status : ServerStatus
    has_docs_page : bool
        Whether `/docs` exists.
    monitor_metrics : MonitorMetrics
    production : ProductionReader
    find_dashboard : callable
        Returns the URL of the dashboard for a host name of the server; None without one.
    """

    engine: Engine
    request_metrics: RequestMetrics
    concurrency_limiter: ConcurrencyLimiter
    max_rows: int
    server_status: ServerStatus
    has_docs_page: bool
    monitor_metrics: MonitorMetrics
    production: ProductionReader
    find_dashboard: Callable[[str], str | None]
    _cached_description: _Description | None = field(default=None)

    def routes(self) -> tuple[Route, ...]:
        """Return the routes of all endpoints that this server has."""
        index = IndexEndpoint(self.engine, self.server_status, self.has_docs_page, self.find_dashboard)
        routes = (
            *bind_routes(index),
            *bind_routes(ProbeEndpoints(self.engine, self.server_status)),
            *bind_routes(self),
            *bind_routes(TrialEndpoints(self.engine)),
            *bind_routes(KserveV1Endpoints(self.engine, self.server_status, self.max_rows)),
            *bind_routes(OpenInferenceEndpoints(self.engine, self.server_status, self.max_rows)),
        )
        return tuple(declared for declared in routes if self.has_docs_page or declared.name != "docs")

    # Predictions

    @route(
        "POST",
        "/predict",
        role="predict",
        accepts=JSON_ONLY,
        tag="predictions",
        request="PredictionRequest",
        response="Prediction",
        parameters=_LOG_PARAMETERS,
        query_params=LOG_QUERY_PARAMS,
        unlogged_role="viewer",
        summary="Predict one row",
    )
    async def predict(self, request: HttpRequest) -> HttpResponse:
        """Predict one row."""
        return HttpResponse(await self.engine.predict_row(request.body, request.log_options()))

    @route(
        "POST",
        "/predict/batch",
        role="predict",
        accepts=_BATCH_MEDIA_TYPES,
        tag="predictions",
        request="Batch",
        response="Predictions",
        parameters=("on_error", *_LOG_PARAMETERS),
        query_params=("on_error", *LOG_QUERY_PARAMS),
        unlogged_role="viewer",
        summary="Predict many rows",
    )
    async def predict_batch(self, request: HttpRequest) -> HttpResponse:
        """Predict many rows, in any accepted format."""
        on_error: Any = request.query_param("on_error", ("refuse", "partial"), "refuse")
        if request.media_type == "application/json":
            body = await self.engine.predict_batch(request.body, request.log_options(), on_error=on_error)
            return HttpResponse(body)
        table = await asyncio.to_thread(
            tabular.read_tabular_body,
            request.media_type,
            request.body,
            require_model(self.engine).schema,
            max_rows=self.max_rows,
            allows_partial=on_error == "partial",
        )
        predictions = await self.engine.predict_columns(
            table.columns, request.log_options(), on_error=on_error, lines=table.lines
        )
        return HttpResponse(await run_in_thread_if_large(len(request.body), lambda: predictions.body))

    @route(
        "POST",
        "/v1/explain",
        role="predict",
        accepts=JSON_ONLY,
        tag="predictions",
        request="Explanation",
        response="ExplainedPrediction",
        unlogged_role="viewer",
        summary="Return the contribution of each feature",
    )
    async def explain(self, request: HttpRequest) -> HttpResponse:
        """Return the contribution of each value of a row."""
        return HttpResponse(await self.engine.explain(request.body))

    @route(
        "POST",
        "/v1/what-if",
        role="predict",
        accepts=JSON_ONLY,
        tag="predictions",
        request="Explanation",
        response="VariedPredictions",
        unlogged_role="viewer",
        summary="Return how the prediction changes with each feature",
    )
    async def what_if(self, request: HttpRequest) -> HttpResponse:
        """Return how the prediction of a row changes with each of its values."""
        return HttpResponse(await self.engine.what_if(request.body))

    @route(
        "POST",
        "/feedback",
        role="feedback",
        accepts=JSON_ONLY,
        tag="predictions",
        request="Feedback",
        response="StoredOutcomes",
        summary="Record outcomes",
    )
    async def feedback(self, request: HttpRequest) -> HttpResponse:
        """Record outcomes of logged predictions."""
        return HttpResponse(await self.engine.feedback(request.body, caller=request.principal.id))

    # Operation

    @route(
        "GET",
        "/v1/status",
        role="viewer",
        response="ServerStatus",
        summary="Report production, the loaded model, the queue and counts",
    )
    async def status(self, _request: HttpRequest) -> HttpResponse:
        """Report the status of production, and the state of engine and server."""
        body = {
            "production": await self.production.read(is_draining=self.server_status.is_draining),
            **self.engine.status(),
            "http": self._server_gauges(),
            "shed": self.concurrency_limiter.n_shed,
        }
        return HttpResponse(to_json(body))

    @route(
        "GET",
        "/v1/models",
        role="viewer",
        response="Models",
        summary="List the loaded model, with schema and card; name the previous one",
    )
    async def models(self, _request: HttpRequest) -> HttpResponse:
        """Describe the loaded model, and name the previous one."""
        active, previous = self.engine.loaded_model, self.engine.previous_model
        body = {
            "models": [] if active is None else [active.name],
            "active": None if active is None else _model_description(active),
            "previous": None if previous is None else model_identity(previous),
        }
        return HttpResponse(to_json(body))

    @route(
        "GET",
        "/metrics",
        name="metrics",
        role="viewer",
        response="Text",
        response_media_type="text/plain",
        summary="Export metrics for Prometheus",
    )
    async def export_metrics(self, request: HttpRequest) -> HttpResponse:
        """Export all metrics, as OpenMetrics where the caller accepts it."""
        limiter = self.concurrency_limiter
        gauges = {**self._server_gauges(), "http_requests_in_flight": float(limiter.n_requests)}
        families = await self.monitor_metrics.families()
        metrics = self.request_metrics.to_prometheus(
            gauges,
            limiter.n_shed,
            self.engine.status(),
            families,
            accept=request.headers.get(b"accept", b"").decode("latin-1"),
        )
        return HttpResponse(metrics.body, media_type=metrics.media_type.encode())

    def _server_gauges(self) -> dict[str, float]:
        status = self.server_status
        return {"http_connections": float(len(status.connections)), "http_draining": float(status.is_draining)}

    @route(
        "POST", "/v1/activate", role="operator", response="ModelIdentity", summary="Load a newly promoted version now"
    )
    async def activate(self, _request: HttpRequest) -> HttpResponse:
        """Read the state database now, instead of at the next poll."""
        return HttpResponse(to_json(model_identity(await self.engine.reload())))

    # Descriptions

    @route(
        "GET",
        "/openapi.json",
        role="viewer",
        response="OpenApiDocument",
        summary="Return the OpenAPI document, with types, bounds, units and examples",
    )
    async def openapi(self, _request: HttpRequest) -> HttpResponse:
        """Return the OpenAPI document."""
        return HttpResponse(self._description().openapi_json)

    @route(
        "GET",
        "/docs",
        role="viewer",
        response="Text",
        response_media_type="text/html",
        summary="Show the OpenAPI document as a page; on loopback only",
    )
    async def docs(self, _request: HttpRequest) -> HttpResponse:
        """Return the OpenAPI document as a page."""
        return html_response(self._description().docs_html)

    def _description(self) -> _Description:
        model = self.engine.loaded_model
        if self._cached_description is None or self._cached_description.model is not model:
            document = openapi_document(
                self.routes(),
                None if model is None else model.schema,
                title=DISTRIBUTION if model is None else model.name,
                version=engine_version(),
                path_values={} if model is None else {"model": model.name, "version": str(model.version)},
            )
            self._cached_description = _Description(model, to_json(document), docs_page.render_docs_page(document))
        return self._cached_description


def _model_description(model: LoadedModel) -> dict[str, Any]:
    return {
        **model_identity(model),
        "classes": list(model.classes),
        "schema": model.schema.as_dict(),
        "card": model.package.card,
        "metrics": model.package.metrics,
        "lineage": model.package.lineage,
    }


# In the order of the documentation.
ENDPOINT_CLASSES = (
    IndexEndpoint,
    ProbeEndpoints,
    Endpoints,
    TrialEndpoints,
    KserveV1Endpoints,
    OpenInferenceEndpoints,
)
