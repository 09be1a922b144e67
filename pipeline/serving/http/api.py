"""Every operation of the API: what it takes, who may call it, and what the engine is asked."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.serving.apart import apart
from pipeline.serving.contracts import NotReady
from pipeline.serving.http import inference, page, tabular
from pipeline.serving.http.access import PUBLIC
from pipeline.serving.http.calls import Answer
from pipeline.serving.http.metrics import MEDIA_TYPE as METRICS_TYPE
from pipeline.serving.http.openapi import describe
from pipeline.serving.http.operations import Operation
from pipeline.serving.http.problems import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.serving.bundle import Bundle
    from pipeline.serving.engine import Engine
    from pipeline.serving.http.calls import Call
    from pipeline.serving.http.limits import Admission
    from pipeline.serving.http.metrics import Metrics
    from pipeline.serving.http.watched import Watched

__all__ = ["Api"]

_JSON = ("application/json",)
_BINARY = (*_JSON, "application/octet-stream")
_LOGGED = ("idempotency_key", "subject")
_HTML_RULES = [(b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")]


@dataclass(slots=True)
class Api:
    """The operations on one engine.

    `gauges` returns what the server knows of itself: connections, draining.
    """

    engine: Engine
    metrics: Metrics
    admission: Admission
    max_rows: int
    gauges: Callable[[], dict[str, float]]
    is_draining: Callable[[], bool]
    has_page: bool
    watched: Watched
    _described: tuple[Any, bytes, bytes] | None = field(default=None)

    def operations(self) -> tuple[Operation, ...]:
        """Return the table of operations."""
        return (*self._probes(), *self._predicting(), *self._watching(), *self._protocol(), *self._pages())

    def _probes(self) -> list[Operation]:
        def probe(name: str, path: str, handler: Any, summary: str) -> Operation:
            return Operation(name, "GET", path, PUBLIC, handler, summary=summary, is_probe=True)

        return [
            probe("live", "/livez", self.live, "The process answers"),
            probe("ready", "/readyz", self.ready, "Predictions can be answered"),
            probe("health", "/health", self.health, "Whether predictions can be answered, and by which model"),
            probe("v2_live", "/v2/health/live", self.live, "The process answers"),
            probe("v2_ready", "/v2/health/ready", self.ready, "Predictions can be answered"),
        ]

    def _predicting(self) -> list[Operation]:
        batch = Operation(
            "predict_batch",
            "POST",
            "/predict/batch",
            "predict",
            self.predict_batch,
            (*_JSON, *tabular.MEDIA_TYPES),
            "Predict many rows",
            body="Batch",
            answer="Predictions",
            parameters=("on_error", *_LOGGED),
            queries=("on_error",),
        )
        return [
            self._post("predict", "/predict", "predict", self.predict, "Predict one row", "Row", "Prediction", _LOGGED),
            batch,
            self._post("explain", "/v1/explain", "predict", self.explain, "What each value contributes", "Explanation"),
            self._post("vary", "/v1/variation", "predict", self.vary, "What would change the answer", "Explanation"),
            self._post("feedback", "/feedback", "feedback", self.feedback, "Tell what was true in the end", "Feedback"),
        ]

    @staticmethod
    def _post(
        name: str,
        path: str,
        role: str,
        handler: Any,
        summary: str,
        body: str,
        answer: str = "Status",
        parameters: tuple[str, ...] = (),
    ) -> Operation:
        return Operation(
            name, "POST", path, role, handler, _JSON, summary, body=body, answer=answer, parameters=parameters
        )

    def _watching(self) -> list[Operation]:
        def get(name: str, path: str, handler: Any, summary: str, kind: str = "application/json") -> Operation:
            answer = "Text" if kind == "text/plain" else "Status"
            return Operation(name, "GET", path, "viewer", handler, summary=summary, answers_with=kind, answer=answer)

        return [
            get("status", "/v1/status", self.status, "What serves, how much waits, what was counted"),
            get("models", "/v1/models", self.models, "The model that serves, the one before, schema and card"),
            get("metrics", "/metrics", self.exposition, "Figures for Prometheus", "text/plain"),
            Operation("activate", "POST", "/v1/activate", "operator", self.activate, summary="Look for a decision now"),
        ]

    def _protocol(self) -> list[Operation]:
        def of(prefix: str, path: str) -> list[Operation]:
            return [
                Operation(f"{prefix}", "GET", path, "viewer", self.v2_model, summary="Inputs and outputs of the model"),
                Operation(f"{prefix}_ready", "GET", f"{path}/ready", PUBLIC, self.v2_ready, summary="It answers"),
                Operation(
                    f"{prefix}_infer",
                    "POST",
                    f"{path}/infer",
                    "predict",
                    self.v2_infer,
                    _BINARY,
                    "Predict the rows of tensors",
                    body="Inference",
                    kind_may_be_missing=True,
                ),
            ]

        server = Operation("v2_server", "GET", "/v2", PUBLIC, self.v2_server, summary="Name and version of the server")
        return [
            server,
            *of("v2_model", "/v2/models/{model}"),
            *of("v2_version", "/v2/models/{model}/versions/{version}"),
        ]

    def _pages(self) -> list[Operation]:
        if not self.has_page:
            return [Operation("openapi", "GET", "/openapi.json", "viewer", self.openapi, summary="This description")]
        return [
            Operation("openapi", "GET", "/openapi.json", "viewer", self.openapi, summary="This description"),
            Operation(
                "docs", "GET", "/docs", "viewer", self.docs, summary="This description, for people",
                answers_with="text/html", answer="Text",
            ),
        ]  # fmt: skip

    # Probes

    async def live(self, _call: Call) -> Answer:
        """Touch nothing."""
        return Answer(b'{"live":true}')

    async def ready(self, _call: Call) -> Answer:
        """Say whether predictions can be answered."""
        return self._readiness({})

    async def health(self, _call: Call) -> Answer:
        """Say the same with the name of what serves."""
        bundle = self.engine.bundle
        return self._readiness({} if bundle is None else _served(bundle))

    def _readiness(self, told: dict[str, Any]) -> Answer:
        found = self.engine.ready()
        is_ready = found.is_ready and not self.is_draining()
        reason = "the server is stopping" if self.is_draining() else found.reason
        body = {"status": "ok" if is_ready else "unavailable", "ready": is_ready, **told}
        if not is_ready:
            body["reason"] = reason
        return Answer(_packed(body), 200 if is_ready else 503, headers=[] if is_ready else [(b"retry-after", b"2")])

    # Predictions

    async def predict(self, call: Call) -> Answer:
        """Answer one row."""
        return Answer(await self.engine.predict_one(call.body, key=call.key, subject=call.subject))

    async def predict_batch(self, call: Call) -> Answer:
        """Answer many rows, in any form."""
        on_error: Any = call.query("on_error", ("refuse", "partial"), "refuse")
        if call.media_type == "application/json":
            body = await self.engine.predict_batch(call.body, key=call.key, subject=call.subject, on_error=on_error)
            return Answer(body)
        schema = self._bundle().schema
        is_partial = on_error == "partial"
        read = await asyncio.to_thread(
            tabular.read_columns, call.media_type, call.body, schema, max_rows=self.max_rows, partial=is_partial
        )
        answers = await self.engine.predict_columns(
            read.columns, key=call.key, subject=call.subject, on_error=on_error, lines=read.lines
        )
        return Answer(await apart(len(call.body), lambda: answers.body))

    async def explain(self, call: Call) -> Answer:
        """Say what each value of a row contributes."""
        return Answer(await self.engine.explain(call.body))

    async def vary(self, call: Call) -> Answer:
        """Say what would change the answer to a row."""
        return Answer(await self.engine.vary(call.body))

    async def feedback(self, call: Call) -> Answer:
        """Take outcomes."""
        return Answer(await self.engine.feedback(call.body))

    # What stands

    async def status(self, _call: Call) -> Answer:
        """Say what serves and how the server fares."""
        told = {**self.engine.status(), "http": self.gauges(), "shed": self.admission.n_shed}
        return Answer(_packed(told))

    async def models(self, _call: Call) -> Answer:
        """Describe the model that serves and the one before."""
        active, previous = self.engine.bundle, self.engine.previous
        return Answer(
            _packed({"active": _described(active), "previous": None if previous is None else _served(previous)})
        )

    async def exposition(self, _call: Call) -> Answer:
        """Write every figure for Prometheus."""
        gauges = {**self.gauges(), "http_requests_in_work": float(self.admission.n_requests)}
        counters = {"http_shed": float(self.admission.n_shed)}
        watched = await self.watched.families(self.engine.state)
        return Answer(self.metrics.exposition(gauges, counters, self.engine.status(), watched), media_type=METRICS_TYPE)

    async def activate(self, _call: Call) -> Answer:
        """Look at the state database now."""
        return Answer(_packed(_served(await self.engine.activate())))

    # The Open Inference Protocol

    async def v2_server(self, _call: Call) -> Answer:
        """Name the server."""
        told = {
            "name": "declarative-mlops",
            "version": version("declarative-mlops"),
            "extensions": ["binary_tensor_data"],
        }
        return Answer(_packed(told))

    async def v2_model(self, call: Call) -> Answer:
        """Describe the tensors of the model."""
        bundle = self._named(call)
        return Answer(_packed(inference.metadata(bundle.name, str(bundle.version), bundle.schema)))

    async def v2_ready(self, call: Call) -> Answer:
        """Say whether this model answers."""
        bundle = self._named(call)
        return self._readiness({"name": bundle.name})

    async def v2_infer(self, call: Call) -> Answer:
        """Answer the rows of tensors."""
        bundle = self._named(call)
        cut_at = call.fields.get(inference.HEADER_LENGTH)
        asked = await apart(len(call.body), inference.parse, call.body, cut_at, bundle.schema, max_rows=self.max_rows)
        answers = await self.engine.predict_columns(asked.columns, key=call.key, subject=call.subject)
        body, length = inference.answer(asked, answers, name=bundle.name, version=str(bundle.version))
        if length is None:
            return Answer(body)
        headers = [(inference.HEADER_LENGTH, str(length).encode())]
        return Answer(body, media_type=b"application/octet-stream", headers=headers)

    # Descriptions

    async def openapi(self, _call: Call) -> Answer:
        """Describe the API for programs."""
        return Answer(self._description()[1])

    async def docs(self, _call: Call) -> Answer:
        """Describe the API for people."""
        return Answer(self._description()[2], media_type=b"text/html; charset=utf-8", headers=list(_HTML_RULES))

    def _description(self) -> tuple[Any, bytes, bytes]:
        bundle = self.engine.bundle
        if self._described is None or self._described[0] is not bundle:
            schema = None if bundle is None else bundle.schema
            title = "declarative-mlops" if bundle is None else bundle.name
            named = {} if bundle is None else {"model": bundle.name, "version": str(bundle.version)}
            own = version("declarative-mlops")
            told = describe(self.operations(), schema, title=title, version=own, named=named)
            self._described = (bundle, _packed(told), page.render(told))
        return self._described

    def _bundle(self) -> Bundle:
        bundle = self.engine.bundle
        if bundle is None:
            raise NotReady(self.engine.ready().reason or "no model serves", retry_after_s=2)
        return bundle

    def _named(self, call: Call) -> Bundle:
        bundle = self._bundle()
        asked = call.parameters.get("version")
        if call.parameters["model"] != bundle.name or asked not in (None, str(bundle.version)):
            raise Refused("not-found", f"this server serves {bundle.name}, version {bundle.version}")
        return bundle


def _packed(value: Any) -> bytes:
    return msgspec.json.encode(value)


def _served(bundle: Bundle) -> dict[str, Any]:
    return {
        "model_name": bundle.name,
        "model_version": bundle.version,
        "model_digest": bundle.digest,
        "generation": bundle.generation,
        "served_by": bundle.served_by,
    }


def _described(bundle: Bundle | None) -> dict[str, Any] | None:
    if bundle is None:
        return None
    package = bundle.package
    told = {"classes": list(bundle.classes), "schema": bundle.schema.as_dict()}
    return {**_served(bundle), **told, "card": package.card, "metrics": package.metrics, "lineage": package.lineage}
