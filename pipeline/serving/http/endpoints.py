"""Every operation of the API: what it takes, who may call it, and what the engine is asked."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.serving.concurrency import run_in_thread_if_large
from pipeline.serving.errors import NotReady
from pipeline.serving.http import docs_page, open_inference, tabular
from pipeline.serving.http.authentication import PUBLIC
from pipeline.serving.http.messages import HttpResponse
from pipeline.serving.http.openapi import openapi_document
from pipeline.serving.http.problems import HttpProblem
from pipeline.serving.http.request_metrics import MEDIA_TYPE as METRICS_TYPE
from pipeline.serving.http.router import Route

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.serving.engine import Engine
    from pipeline.serving.http.limits import ConcurrencyLimiter
    from pipeline.serving.http.messages import HttpRequest
    from pipeline.serving.http.monitor_metrics import MonitorMetrics
    from pipeline.serving.http.request_metrics import RequestMetrics
    from pipeline.serving.loaded_model import LoadedModel

__all__ = ["Endpoints"]

_JSON_ONLY = ("application/json",)
_TENSOR_MEDIA_TYPES = (*_JSON_ONLY, "application/octet-stream")
_LOG_PARAMETERS = ("idempotency_key", "subject")
_HTML_SECURITY_HEADERS = [
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
]


@dataclass(slots=True)
class Endpoints:
    """The operations on one engine.

    `gauges` returns what the server knows of itself: connections, draining.
    """

    engine: Engine
    request_metrics: RequestMetrics
    concurrency_limiter: ConcurrencyLimiter
    max_rows: int
    gauges: Callable[[], dict[str, float]]
    is_draining: Callable[[], bool]
    has_docs_page: bool
    monitor_metrics: MonitorMetrics
    _cached_description: tuple[Any, bytes, bytes] | None = field(default=None)

    def routes(self) -> tuple[Route, ...]:
        """Return the table of operations."""
        return (
            *self._probe_routes(),
            *self._prediction_routes(),
            *self._status_routes(),
            *self._open_inference_routes(),
            *self._docs_routes(),
        )

    def _probe_routes(self) -> list[Route]:
        def probe(name: str, path: str, handler: Any, summary: str) -> Route:
            return Route(name, "GET", path, PUBLIC, handler, summary=summary, is_probe=True)

        return [
            probe("live", "/livez", self.live, "The process answers"),
            probe("ready", "/readyz", self.ready, "Predictions can be answered"),
            probe("health", "/health", self.health, "Whether predictions can be answered, and by which model"),
            probe("v2_live", "/v2/health/live", self.live, "The process answers"),
            probe("v2_ready", "/v2/health/ready", self.ready, "Predictions can be answered"),
        ]

    def _prediction_routes(self) -> list[Route]:
        batch = Route(
            "predict_batch",
            "POST",
            "/predict/batch",
            "predict",
            self.predict_batch,
            (*_JSON_ONLY, *tabular.MEDIA_TYPES),
            "Predict many rows",
            request_schema="Batch",
            response_schema="Predictions",
            parameters=("on_error", *_LOG_PARAMETERS),
            query_params=("on_error",),
        )
        return [
            self._post_route(
                "predict", "/predict", "predict", self.predict, "Predict one row", "Row", "Prediction", _LOG_PARAMETERS
            ),
            batch,
            self._post_route(
                "explain", "/v1/explain", "predict", self.explain, "What each value contributes", "Explanation"
            ),
            self._post_route(
                "vary", "/v1/variation", "predict", self.what_if, "What would change the answer", "Explanation"
            ),
            self._post_route(
                "feedback", "/feedback", "feedback", self.feedback, "Tell what was true in the end", "Feedback"
            ),
        ]

    @staticmethod
    def _post_route(
        name: str,
        path: str,
        role: str,
        handler: Any,
        summary: str,
        request_schema: str,
        response_schema: str = "Status",
        parameters: tuple[str, ...] = (),
    ) -> Route:
        return Route(
            name,
            "POST",
            path,
            role,
            handler,
            _JSON_ONLY,
            summary,
            request_schema=request_schema,
            response_schema=response_schema,
            parameters=parameters,
        )

    def _status_routes(self) -> list[Route]:
        def get(name: str, path: str, handler: Any, summary: str, kind: str = "application/json") -> Route:
            answer = "Text" if kind == "text/plain" else "Status"
            return Route(
                name, "GET", path, "viewer", handler, summary=summary, response_media_type=kind, response_schema=answer
            )

        return [
            get("status", "/v1/status", self.status, "What serves, how much waits, what was counted"),
            get("models", "/v1/models", self.models, "The model that serves, the one before, schema and card"),
            get("metrics", "/metrics", self.export_metrics, "Figures for Prometheus", "text/plain"),
            Route("activate", "POST", "/v1/activate", "operator", self.activate, summary="Look for a decision now"),
        ]

    def _open_inference_routes(self) -> list[Route]:
        def of(prefix: str, path: str) -> list[Route]:
            return [
                Route(
                    f"{prefix}",
                    "GET",
                    path,
                    "viewer",
                    self.v2_model_metadata,
                    summary="Inputs and outputs of the model",
                ),
                Route(f"{prefix}_ready", "GET", f"{path}/ready", PUBLIC, self.v2_model_ready, summary="It answers"),
                Route(
                    f"{prefix}_infer",
                    "POST",
                    f"{path}/infer",
                    "predict",
                    self.v2_infer,
                    _TENSOR_MEDIA_TYPES,
                    "Predict the rows of tensors",
                    request_schema="Inference",
                    allows_missing_content_type=True,
                ),
            ]

        server = Route(
            "v2_server", "GET", "/v2", PUBLIC, self.v2_server_metadata, summary="Name and version of the server"
        )
        return [
            server,
            *of("v2_model", "/v2/models/{model}"),
            *of("v2_version", "/v2/models/{model}/versions/{version}"),
        ]

    def _docs_routes(self) -> list[Route]:
        if not self.has_docs_page:
            return [Route("openapi", "GET", "/openapi.json", "viewer", self.openapi, summary="This description")]
        return [
            Route("openapi", "GET", "/openapi.json", "viewer", self.openapi, summary="This description"),
            Route(
                "docs", "GET", "/docs", "viewer", self.docs, summary="This description, for people",
                response_media_type="text/html", response_schema="Text",
            ),
        ]  # fmt: skip

    # Probes

    async def live(self, _request: HttpRequest) -> HttpResponse:
        """Touch nothing."""
        return HttpResponse(b'{"live":true}')

    async def ready(self, _request: HttpRequest) -> HttpResponse:
        """Say whether predictions can be answered."""
        return self._readiness_response({})

    async def health(self, _request: HttpRequest) -> HttpResponse:
        """Say the same with the name of what serves."""
        bundle = self.engine.loaded_model
        return self._readiness_response({} if bundle is None else _model_identity(bundle))

    def _readiness_response(self, details: dict[str, Any]) -> HttpResponse:
        found = self.engine.ready()
        is_ready = found.is_ready and not self.is_draining()
        reason = "the server is stopping" if self.is_draining() else found.reason
        body = {"status": "ok" if is_ready else "unavailable", "ready": is_ready, **details}
        if not is_ready:
            body["reason"] = reason
        return HttpResponse(
            _to_json(body), 200 if is_ready else 503, headers=[] if is_ready else [(b"retry-after", b"2")]
        )

    # Predictions

    async def predict(self, request: HttpRequest) -> HttpResponse:
        """Answer one row."""
        return HttpResponse(
            await self.engine.predict_row(request.body, key=request.idempotency_key, subject=request.subject)
        )

    async def predict_batch(self, request: HttpRequest) -> HttpResponse:
        """Answer many rows, in any form."""
        on_error: Any = request.query_param("on_error", ("refuse", "partial"), "refuse")
        if request.media_type == "application/json":
            body = await self.engine.predict_batch(
                request.body, key=request.idempotency_key, subject=request.subject, on_error=on_error
            )
            return HttpResponse(body)
        schema = self._require_model().schema
        is_partial = on_error == "partial"
        read = await asyncio.to_thread(
            tabular.read_tabular_body,
            request.media_type,
            request.body,
            schema,
            max_rows=self.max_rows,
            allows_partial=is_partial,
        )
        answers = await self.engine.predict_columns(
            read.columns, key=request.idempotency_key, subject=request.subject, on_error=on_error, lines=read.lines
        )
        return HttpResponse(await run_in_thread_if_large(len(request.body), lambda: answers.body))

    async def explain(self, request: HttpRequest) -> HttpResponse:
        """Say what each value of a row contributes."""
        return HttpResponse(await self.engine.explain(request.body))

    async def what_if(self, request: HttpRequest) -> HttpResponse:
        """Say what would change the answer to a row."""
        return HttpResponse(await self.engine.what_if(request.body))

    async def feedback(self, request: HttpRequest) -> HttpResponse:
        """Take outcomes."""
        return HttpResponse(await self.engine.feedback(request.body))

    # What stands

    async def status(self, _request: HttpRequest) -> HttpResponse:
        """Say what serves and how the server fares."""
        told = {**self.engine.status(), "http": self.gauges(), "shed": self.concurrency_limiter.n_shed}
        return HttpResponse(_to_json(told))

    async def models(self, _request: HttpRequest) -> HttpResponse:
        """Describe the model that serves and the one before."""
        active, previous = self.engine.loaded_model, self.engine.previous_model
        return HttpResponse(
            _to_json(
                {
                    "active": _model_description(active),
                    "previous": None if previous is None else _model_identity(previous),
                }
            )
        )

    async def export_metrics(self, _request: HttpRequest) -> HttpResponse:
        """Write every figure for Prometheus."""
        gauges = {**self.gauges(), "http_requests_in_work": float(self.concurrency_limiter.n_requests)}
        counters = {"http_shed": float(self.concurrency_limiter.n_shed)}
        watched = await self.monitor_metrics.families()
        return HttpResponse(
            self.request_metrics.to_prometheus(gauges, counters, self.engine.status(), watched), media_type=METRICS_TYPE
        )

    async def activate(self, _request: HttpRequest) -> HttpResponse:
        """Look at the state database now."""
        return HttpResponse(_to_json(_model_identity(await self.engine.reload())))

    # The Open Inference Protocol

    async def v2_server_metadata(self, _request: HttpRequest) -> HttpResponse:
        """Name the server."""
        told = {
            "name": "declarative-mlops",
            "version": version("declarative-mlops"),
            "extensions": ["binary_tensor_data"],
        }
        return HttpResponse(_to_json(told))

    async def v2_model_metadata(self, request: HttpRequest) -> HttpResponse:
        """Describe the tensors of the model."""
        bundle = self._require_named_model(request)
        return HttpResponse(_to_json(open_inference.model_metadata(bundle.name, str(bundle.version), bundle.schema)))

    async def v2_model_ready(self, request: HttpRequest) -> HttpResponse:
        """Say whether this model answers."""
        bundle = self._require_named_model(request)
        return self._readiness_response({"name": bundle.name})

    async def v2_infer(self, request: HttpRequest) -> HttpResponse:
        """Answer the rows of tensors."""
        bundle = self._require_named_model(request)
        cut_at = request.headers.get(open_inference.JSON_LENGTH_HEADER)
        asked = await run_in_thread_if_large(
            len(request.body), open_inference.parse_request, request.body, cut_at, bundle.schema, max_rows=self.max_rows
        )
        answers = await self.engine.predict_columns(asked.columns, key=request.idempotency_key, subject=request.subject)
        body, length = open_inference.build_response(asked, answers, name=bundle.name, version=str(bundle.version))
        if length is None:
            return HttpResponse(body)
        headers = [(open_inference.JSON_LENGTH_HEADER, str(length).encode())]
        return HttpResponse(body, media_type=b"application/octet-stream", headers=headers)

    # Descriptions

    async def openapi(self, _request: HttpRequest) -> HttpResponse:
        """Describe the API for programs."""
        return HttpResponse(self._description()[1])

    async def docs(self, _request: HttpRequest) -> HttpResponse:
        """Describe the API for people."""
        return HttpResponse(
            self._description()[2], media_type=b"text/html; charset=utf-8", headers=list(_HTML_SECURITY_HEADERS)
        )

    def _description(self) -> tuple[Any, bytes, bytes]:
        bundle = self.engine.loaded_model
        if self._cached_description is None or self._cached_description[0] is not bundle:
            schema = None if bundle is None else bundle.schema
            title = "declarative-mlops" if bundle is None else bundle.name
            named = {} if bundle is None else {"model": bundle.name, "version": str(bundle.version)}
            own = version("declarative-mlops")
            told = openapi_document(self.routes(), schema, title=title, version=own, path_values=named)
            self._cached_description = (bundle, _to_json(told), docs_page.render_docs_page(told))
        return self._cached_description

    def _require_model(self) -> LoadedModel:
        bundle = self.engine.loaded_model
        if bundle is None:
            raise NotReady(self.engine.ready().reason or "no model serves", retry_after_s=2)
        return bundle

    def _require_named_model(self, request: HttpRequest) -> LoadedModel:
        bundle = self._require_model()
        asked = request.path_params.get("version")
        if request.path_params["model"] != bundle.name or asked not in (None, str(bundle.version)):
            raise HttpProblem("not-found", f"this server serves {bundle.name}, version {bundle.version}")
        return bundle


def _to_json(value: Any) -> bytes:
    return msgspec.json.encode(value)


def _model_identity(model: LoadedModel) -> dict[str, Any]:
    return {
        "model_name": model.name,
        "model_version": model.version,
        "model_digest": model.digest,
        "generation": model.generation,
        "served_by": model.served_by,
    }


def _model_description(model: LoadedModel | None) -> dict[str, Any] | None:
    if model is None:
        return None
    package = model.package
    told = {"classes": list(model.classes), "schema": model.schema.as_dict()}
    return {
        **_model_identity(model),
        **told,
        "card": package.card,
        "metrics": package.metrics,
        "lineage": package.lineage,
    }
