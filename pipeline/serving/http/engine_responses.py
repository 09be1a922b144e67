"""Responses and checks that the endpoints of predictions, probes and the Open Inference Protocol share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.serving.http.messages import HttpResponse
from pipeline.serving.http.problems import HttpProblem
from pipeline.serving.serving_errors import NotReady

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.serving.engine import Engine
    from pipeline.serving.http.application import ServerStatus
    from pipeline.serving.loaded_model import LoadedModel

__all__ = [
    "check_model_names",
    "html_response",
    "model_identity",
    "readiness_response",
    "require_model",
    "require_named_model",
    "to_json",
]

_HTML_SECURITY_HEADERS = (
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
)


def html_response(page: bytes) -> HttpResponse:
    """Return a page that loads nothing and runs no script; the browser enforces it."""
    return HttpResponse(page, media_type=b"text/html; charset=utf-8", headers=list(_HTML_SECURITY_HEADERS))


def readiness_response(engine: Engine, server_status: ServerStatus, details: dict[str, Any]) -> HttpResponse:
    """Return 200 if the server can predict, otherwise 503 with the reason; `details` are further members."""
    readiness = engine.ready()
    if readiness.is_ready and not server_status.is_draining:
        return HttpResponse(to_json({"status": "ok", "ready": True, **details}))
    reason = "the server is stopping" if server_status.is_draining else readiness.reason
    body = {"status": "unavailable", "ready": False, **details, "reason": reason}
    return HttpResponse(to_json(body), 503, headers=[(b"retry-after", b"2")])


def require_model(engine: Engine) -> LoadedModel:
    """Return the loaded model.

    Raises
    ------
    NotReady
        When no model is loaded.
    """
    if engine.loaded_model is None:
        raise NotReady(engine.ready().reason or "no model is loaded", retry_after_s=2)
    return engine.loaded_model


def require_named_model(engine: Engine, names: Mapping[str, str]) -> LoadedModel:
    """Return the loaded model if a request names it: `names` has `model`, and `version` where one is named.

    Raises
    ------
    NotReady
        When no model is loaded.
    HttpProblem
        With 404 when the server has another model or version.
    """
    model = require_model(engine)
    check_model_names(model, names["model"], names.get("version"))
    return model


def check_model_names(model: LoadedModel, name: str, version: str | None) -> None:
    """Raise HttpProblem with 404 when the server has another model than the named one; None: any version."""
    if name != model.name or version not in (None, str(model.version)):
        raise HttpProblem("not-found", f"this server has {model.name}, version {model.version}")


def model_identity(model: LoadedModel) -> dict[str, Any]:
    """Return the members that identify a model in a response."""
    return {
        "model_name": model.name,
        "model_version": model.version,
        "model_digest": model.digest,
        "generation": model.generation,
        "served_by": model.served_by,
    }


def to_json(value: Any) -> bytes:
    """Return a value as compact JSON."""
    return msgspec.json.encode(value)
