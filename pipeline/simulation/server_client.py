"""Talk HTTP to a running server: one connection for each thread, no retries, every end of a request counted."""

from __future__ import annotations

import http.client
import json
import threading
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from pipeline.errors import DependencyUnavailable, NotAllowed, UsageError
from pipeline.schema import Schema

__all__ = ["ClientResponse", "ServedModel", "ServerClient"]

_CONNECTION_CLASSES = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}


@dataclass(frozen=True, slots=True)
class ClientResponse:
    """What came back: `status` is None where nothing did; `body` is the decoded JSON, or None."""

    status: int | None
    body: Any
    elapsed_s: float

    @property
    def is_success(self) -> bool:
        """Whether the server did what was asked."""
        return self.status is not None and self.status < 300


@dataclass(frozen=True, slots=True)
class ServedModel:
    """What a server says that it serves."""

    name: str
    version: int
    digest: str
    schema: Schema


@dataclass(slots=True)
class ServerClient:
    """A running server at an address such as http://127.0.0.1:5000.

    Parameters
    ----------
    url : str
    key : str, optional
        The API key to send.
    timeout_s : float
        A request without an answer within it has failed.
    """

    url: str
    api_key: str | None = None
    timeout_s: float = 10.0
    _local: threading.local = field(default_factory=threading.local, init=False)
    _connections: list[http.client.HTTPConnection] = field(default_factory=list, init=False)

    def post(self, path: str, body: bytes) -> ClientResponse:
        """Send a body as JSON and return what came back."""
        return self._send_request("POST", path, body)

    def get_active_model(self) -> ServedModel:
        """Return what the server serves.

        Raises
        ------
        UsageError
            When the address is none.
        DependencyUnavailable
            When nobody answers there, or no model serves.
        NotAllowed
            When it asks for a key that may look.
        """
        reply = self._send_request("GET", "/v1/models", None)
        if reply.status is None:
            raise DependencyUnavailable(f"{self.url}: nobody answers; start a server with `mlops serve`")
        if reply.status in (401, 403):
            raise NotAllowed(
                f"{self.url}: wants a key with the roles predict, feedback and viewer; put it into MLOPS_API_KEY"
                " (`mlops keys create` makes one)"
            )
        active = reply.body.get("active") if isinstance(reply.body, dict) else None
        if not reply.is_success or active is None:
            raise DependencyUnavailable(f"{self.url}: serves no model (status {reply.status}); see {self.url}/readyz")
        return ServedModel(
            active["model_name"], active["model_version"], active["model_digest"], Schema.from_dict(active["schema"])
        )

    def _send_request(self, method: str, path: str, body: bytes | None) -> ClientResponse:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if self.api_key is not None:
            headers["Authorization"] = f"Bearer {self.api_key}"
        began = time.perf_counter()
        connection = self._thread_connection()
        try:
            connection.request(method, urlsplit(self.url).path.rstrip("/") + path, body, headers)
            answer = connection.getresponse()
            said = answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()  # the next request opens it anew
            return ClientResponse(None, None, time.perf_counter() - began)
        return ClientResponse(answer.status, _decode_json(said), time.perf_counter() - began)

    def _thread_connection(self) -> http.client.HTTPConnection:
        if getattr(self._local, "connection", None) is None:
            parts = urlsplit(self.url)
            if parts.scheme not in _CONNECTION_CLASSES or not parts.hostname:
                raise UsageError(f"--url {self.url!r}: accepted is an address such as http://127.0.0.1:5000")
            self._local.connection = _CONNECTION_CLASSES[parts.scheme](
                parts.hostname, parts.port, timeout=self.timeout_s
            )
            self._connections.append(self._local.connection)
        found: http.client.HTTPConnection = self._local.connection
        return found

    def close(self) -> None:
        """Close the connections of all threads, which have ended."""
        while self._connections:
            self._connections.pop().close()


def _decode_json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
