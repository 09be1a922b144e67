"""Serve `/metrics`, `/livez` and `/readyz` of a consumer on a port of its own, by a thread of its own."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from pipeline.errors import DependencyUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.serving.http.metrics_encoding import EncodedMetrics

__all__ = ["ProbeServer"]

_JSON_TYPE = "application/json"
_TIMEOUT_S = 5


class ProbeServer:
    """Responds to probes and scrapes while a consumer runs.

    Parameters
    ----------
    address : tuple of str and int
        Host and port; port 0 takes a free one.
    find_reason : callable
        Returns why no event is read; None while events are read.
    metrics : callable
        Returns the metrics in a format that the given header `Accept` accepts.

    Raises
    ------
    DependencyUnavailable
        When the port is taken.
    """

    def __init__(
        self,
        address: tuple[str, int],
        *,
        find_reason: Callable[[], str | None],
        metrics: Callable[[str], EncodedMetrics],
    ) -> None:
        class Handler(_ProbeHandler):
            """Bound to one consumer."""

            reason_of = staticmethod(find_reason)
            metrics_of = staticmethod(metrics)

        host, port = address
        try:
            self._server = ThreadingHTTPServer(address, Handler)
        except OSError as error:
            raise DependencyUnavailable(f"{host}:{port}: the port cannot be used ({error}); set --port") from error
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="stream-probes", daemon=True)

    @property
    def address(self) -> str:
        """Host and port."""
        host, port = self._server.server_address[:2]
        return f"{host!s}:{port}"

    def start(self) -> None:
        """Begin to respond."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _ProbeHandler(BaseHTTPRequestHandler):
    """Responds to one request; what it reads is bound by a subclass."""

    timeout = _TIMEOUT_S
    server_version = "mlops-stream"
    sys_version = ""
    reason_of: Callable[[], str | None]
    metrics_of: Callable[[str], EncodedMetrics]

    def do_GET(self) -> None:
        """Respond to a probe or a scrape."""
        path = self.path.partition("?")[0]
        if path == "/livez":
            self._respond(200, b'{"live":true}')
        elif path == "/readyz":
            reason = type(self).reason_of()
            body = json.dumps({"ready": reason is None, "reason": reason}).encode()
            self._respond(200 if reason is None else 503, body)
        elif path == "/metrics":
            self._respond(200, *type(self).metrics_of(self.headers.get("Accept", "")))
        else:
            self._respond(404, b'{"title":"Not found","detail":"expected /metrics, /livez or /readyz"}')

    def _respond(self, status: int, body: bytes, media_type: str = _JSON_TYPE) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Write no line for each probe."""
