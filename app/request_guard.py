"""Refuse requests to foreign hosts or from foreign pages, and add security headers to each response.

Without this guard a page of another site reaches the app through the browser of its user: by DNS rebinding, or from
another port of this machine.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import streamlit as st
from streamlit.errors import StreamlitSecretNotFoundError

from pipeline.config.config_loader import load_params
from pipeline.errors import MlopsError
from pipeline.project import paths
from pipeline.project.root import find_project_root

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["RequestGuard", "own_hosts", "refusal"]

_LOGGER = logging.getLogger("app")
_LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")
_WILDCARD_ADDRESSES = ("", "0.0.0.0", "::")  # noqa: S104 - compared, not bound  # nosec B104
# Its response is "ok" alone; probes of containers call it by the address of the container.
_HEALTH_PATH = "/_stcore/health"
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?")
_INLINE_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)
_STATIC_HEADERS = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class RequestGuard:
    """ASGI middleware: a foreign host or origin gets 403, and each response carries the security headers.

    Parameters
    ----------
    app : ASGI application
        The application behind the guard.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._hosts: frozenset[str] | None = None
        headers = {**_STATIC_HEADERS, "Content-Security-Policy": _content_security_policy()}
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        if self._hosts is None:
            self._hosts = own_hosts()
        reason = refusal(scope, self._hosts)
        if not reason:
            await self._app(scope, receive, self._with_headers(send))
            return
        _LOGGER.warning("request refused: %s", reason)
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": "foreign host or origin"})
            return
        body = f"{reason}\n".encode()
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 403, "headers": [*headers, *self._headers]})
        await send({"type": "http.response.body", "body": body})

    def _with_headers(self, send: Send) -> Send:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name for name, _ in self._headers}
                others = [(name, value) for name, value in message.get("headers", ()) if name.lower() not in own]
                message = {**message, "headers": [*others, *self._headers]}
            await send(message)

        return send_with_headers


def own_hosts() -> frozenset[str]:
    """Return the host names of this app: loopback, its address, its login, and `serving.allowed_hosts`."""
    names = [*_LOOPBACK_HOSTS, *_login_hosts(), *_declared_hosts()]
    address = str(st.get_option("server.address") or "")
    if address not in _WILDCARD_ADDRESSES:
        names.append(f"[{address}]" if ":" in address else address)
    return frozenset(name.lower() for name in names)


def _declared_hosts() -> tuple[str, ...]:
    try:
        return load_params(find_project_root() / paths.PARAMS).serving.allowed_hosts
    except (MlopsError, OSError):  # before the first run, or broken settings: the pages report them
        return ()


def _login_hosts() -> list[str]:
    """Return the host to which the issuer sends a user back; it is the public name of the app."""
    try:
        auth: Mapping[str, Any] = st.secrets.get("auth", {})
    except StreamlitSecretNotFoundError:
        return []
    redirect = urlsplit(str(auth.get("redirect_uri", "")))
    return [redirect.netloc, _hostname(redirect.netloc.lower())] if redirect.netloc else []


def refusal(scope: Mapping[str, Any], hosts: Iterable[str]) -> str:
    """Return why a request is refused; empty if it is the app's own.

    A request needs exactly one Host, of the names in `hosts`. An Origin has to be the app itself, port included, or a
    name in `hosts` that is not of this machine. A websocket needs an Origin, as browsers send it.
    """
    headers = [(name.lower(), value.decode("latin-1").strip().lower()) for name, value in scope["headers"]]
    sent_hosts = [value for name, value in headers if name == b"host"]
    origins = [value for name, value in headers if name == b"origin"]
    is_probe = scope["type"] == "http" and scope["path"] == _HEALTH_PATH
    host = sent_hosts[0] if len(sent_hosts) == 1 else ""
    if not is_probe and _hostname(host) not in hosts:
        return f"Host {host[:100]!r} is not a name of this app; add it to serving.allowed_hosts in conf/serving"
    if not origins:
        return "The websocket has no Origin; open the app in a browser" if scope["type"] == "websocket" else ""
    if len(origins) > 1 or not _is_own_origin(origins[0], host, hosts):
        return f"Origin {origins[0][:100]!r} is not this app; open the app itself"
    return ""


def _is_own_origin(origin: str, host: str, hosts: Iterable[str]) -> bool:
    scheme, separator, netloc = origin.partition("://")
    if not separator or scheme not in ("http", "https"):
        return False
    # A proxy may send its own Host; the browser's Origin is then the public name.
    return netloc == host or (netloc in hosts and _hostname(netloc) not in _LOOPBACK_HOSTS)


def _hostname(netloc: str) -> str:
    """Return a host without its port; empty if it is not a host with an optional port."""
    match = _HOST.fullmatch(netloc)
    return match[1] if match is not None else ""


def _content_security_policy() -> str:
    """Return a policy that lets pages load their own files alone, and be framed by no page."""
    page = (Path(st.__file__).parent / "static/index.html").read_bytes()
    digests = [base64.b64encode(hashlib.sha256(script).digest()).decode() for script in _INLINE_SCRIPT.findall(page)]
    inline = " ".join(f"'sha256-{digest}'" for digest in digests)
    rules = {
        "default-src": "'self'",
        "script-src": f"'self' 'wasm-unsafe-eval' {inline}",
        "style-src": "'self' 'unsafe-inline'",  # Streamlit writes its styles into the page
        "img-src": "'self' data: blob:",
        "font-src": "'self' data:",
        "connect-src": "'self'",
        "worker-src": "'self' blob:",
        "media-src": "'self' blob:",
        "object-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-src": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {value.strip()}" for name, value in rules.items())
