"""Respond to `GET /`: which model the server has, and links to its pages, as HTML for browsers or as JSON."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Any

from pipeline import state as store
from pipeline.errors import MlopsError
from pipeline.project.stage_digests import DISTRIBUTION, engine_version
from pipeline.serving.http.authentication import PUBLIC
from pipeline.serving.http.engine_responses import html_response, model_identity, to_json
from pipeline.serving.http.messages import HttpResponse
from pipeline.serving.http.router import route

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipeline.serving.engine import Engine
    from pipeline.serving.http.application import ServerStatus
    from pipeline.serving.http.messages import HttpRequest
    from pipeline.serving.loaded_model import LoadedModel

__all__ = ["IndexEndpoint", "prefers_html", "render_index_page"]

_LINKS = {
    "health": "/health",
    "ready": "/readyz",
    "status": "/v1/status",
    "metrics": "/metrics",
    "openapi": "/openapi.json",
}
_LABELS = {
    "dashboard": "Dashboard",
    "docs": "Documentation of the API",
    "health": "Health",
    "ready": "Readiness",
    "status": "Status of production",
    "metrics": "Metrics for Prometheus",
    "openapi": "OpenAPI document",
}
_STYLE = (
    ":root{color-scheme:light dark;--text:#1f2328;--muted:#4b535d;--line:#d8dde3;--link:#00598c;--back:#fff;"
    "--ok:#0b6340;--bad:#a3201a}"
    "@media(prefers-color-scheme:dark){:root{--text:#fafafa;--muted:#c2c9d1;--line:#3a424d;--link:#7cc4ee;"
    "--back:#0e1117;--ok:#6fddb5;--bad:#ff9c94}}"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:2.5rem auto;padding:0 1rem;color:var(--text);"
    "background:var(--back)}h1{font-size:1.5rem;margin:0;overflow-wrap:anywhere}"
    ".state{margin:.25rem 0 1.5rem;color:var(--bad)}.ready{color:var(--ok)}"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:.35rem 1.5rem;margin:0 0 1.5rem}"
    "dt,footer{color:var(--muted)}dd{margin:0;overflow-wrap:anywhere}"
    "ul{list-style:none;padding:0;margin:0;border-top:1px solid var(--line)}"
    "li{border-bottom:1px solid var(--line)}li a{display:flex;flex-wrap:wrap;justify-content:space-between;"
    "align-items:baseline;gap:0 1rem;padding:.5rem 0;text-decoration:none}"
    "a{color:var(--link)}a:hover{text-decoration:underline}"
    "code{font:14px ui-monospace,monospace;color:var(--muted);overflow-wrap:anywhere}footer{margin-top:1.5rem}"
)


@dataclass(slots=True)
class IndexEndpoint:
    """The page at `/`; like `/health` it is public, and has no value of a row.

    Parameters
    ----------
    engine : Engine
    server_status : ServerStatus
    has_docs_page : bool
        Whether `/docs` exists.
    find_dashboard : callable
        Returns the URL of the dashboard for a host name of the server; None without one.
    """

    engine: Engine
    server_status: ServerStatus
    has_docs_page: bool
    find_dashboard: Callable[[str], str | None]
    _deployed_at: dict[int, int | None] = field(default_factory=dict)

    @route("GET", "/", role=PUBLIC, response="Index", summary="Show the model and links, as a page")
    async def index(self, request: HttpRequest) -> HttpResponse:
        """Return the index, as HTML where the caller prefers it."""
        body = await self._read_index(_hostname(request.headers))
        accept = request.headers.get(b"accept", b"").decode("latin-1")
        response = html_response(render_index_page(body)) if prefers_html(accept) else HttpResponse(to_json(body))
        response.headers.append((b"vary", b"accept"))
        return response

    async def _read_index(self, requested_host: str) -> dict[str, Any]:
        readiness, model = self.engine.ready(), self.engine.loaded_model
        is_ready = readiness.is_ready and not self.server_status.is_draining
        reason = "the server is stopping" if self.server_status.is_draining else readiness.detail or readiness.reason
        links = dict(_LINKS)
        if self.has_docs_page:
            links = {"docs": "/docs", **links}
        if dashboard := self.find_dashboard(requested_host):
            links = {"dashboard": dashboard, **links}
        return {
            "status": "alive",  # KServe's client of its first protocol reads it
            "service": DISTRIBUTION,
            "release": engine_version(),
            "name": self.engine.model,
            "stage": self.engine.stage,
            "ready": is_ready,
            "reason": None if is_ready else reason,
            "model": None if model is None else model_identity(model),
            "deployed_at": None if model is None else await self._read_deployed_at(model),
            "links": links,
        }

    async def _read_deployed_at(self, model: LoadedModel) -> str | None:
        """Return the moment of a deployment, which is read once; None if the loaded model is another one."""
        if model.generation not in self._deployed_at:
            with suppress(MlopsError):
                deployment = await asyncio.to_thread(self._read_deployment)
                is_current = deployment.version(self.engine.stage) == model.version
                moment = deployment.deployed_at.get(self.engine.stage) if is_current else None
                self._deployed_at = {model.generation: moment}
        moment = self._deployed_at.get(model.generation)
        return None if moment is None else datetime.fromtimestamp(moment // 1_000_000, UTC).isoformat()

    def _read_deployment(self) -> store.Deployment:
        with self.engine.state.reading() as connection:
            return store.current_deployment(connection, self.engine.model)


def prefers_html(accept: str) -> bool:
    """Whether a header `Accept` names HTML, and no lower than JSON; programs that accept anything get JSON."""
    html = json = 0.0
    for part in accept.lower().split(","):
        media_type, *parameters = (word.strip() for word in part.split(";"))
        quality = next((_quality(word[2:]) for word in parameters if word.startswith("q=")), 1.0)
        if media_type in ("text/html", "application/xhtml+xml"):
            html = max(html, quality)
        elif media_type == "application/json":
            json = max(json, quality)
    return html > 0 and html >= json


def render_index_page(index: Mapping[str, Any]) -> bytes:
    """Return the index as an HTML page without a script, which loads nothing."""
    model = index["model"]
    facts = {"Stage": index["stage"]}
    if model is not None:
        facts |= {"Version": str(model["model_version"]), "Digest": model["model_digest"][:12]}
        if model["served_by"] != "production":
            facts["Served by"] = str(model["served_by"]).replace("_", " ")
    if index["deployed_at"] is not None:
        facts["Deployed"] = f"{datetime.fromisoformat(index['deployed_at']):%Y-%m-%d %H:%M} UTC"
    state = "ready to predict" if index["ready"] else f"not ready: {index['reason'] or 'no model is loaded'}"
    terms = "".join(f"<dt>{escape(name)}<dd>{escape(text)}" for name, text in facts.items())
    links = "".join(
        f'<li><a href="{escape(address)}">{escape(_LABELS[name])} <code>{escape(address)}</code></a>'
        for name, address in index["links"].items()
    )
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{escape(index['name'])}</title><style>{_STYLE}</style>"
        f"<h1>{escape(index['name'])}</h1>"
        f"<p class='state{' ready' if index['ready'] else ''}'>{escape(state)}</p>"
        f"<dl>{terms}</dl><ul>{links}</ul>"
        f"<footer>{escape(index['service'])} {escape(index['release'])}</footer>"
    ).encode()


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _hostname(headers: Mapping[bytes, bytes]) -> str:
    """Return the host name that a request is addressed to, without its port."""
    host = headers.get(b"host", b"").decode("latin-1")
    return host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]
