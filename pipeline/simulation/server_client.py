"""HTTP client of a running server: one connection for each thread, no retries, every result is returned."""

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
    """The response: `status` is None without one; `body` is the decoded JSON, or None."""

    status: int | None
    body: Any
    elapsed_s: float

    @property
    def is_success(self) -> bool:
        """Whether the request succeeded."""
        return self.status is not None and self.status < 300


@dataclass(frozen=True, slots=True)
class ServedModel:
    """The active model of a server."""

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
    api_key : str, optional
        The API key to send.
    timeout_s : float
        A request without a response within it has failed.
    """

    url: str
    api_key: str | None = None
    timeout_s: float = 10.0
    _local: threading.local = field(default_factory=threading.local, init=False)
    _connections: list[http.client.HTTPConnection] = field(default_factory=list, init=False)

    def post(self, path: str, body: bytes) -> ClientResponse:
        """Send a body as JSON and return the response."""
        return self._send_request("POST", path, body)

    def get_active_model(self) -> ServedModel:
        """Return the active model of the server.

        Raises
        ------
        UsageError
            When the URL is invalid.
        DependencyUnavailable
            When the server does not respond, or has no active model.
        NotAllowed
            When the API key lacks a role.
        """
        response = self._send_request("GET", "/v1/models", None)
        if response.status is None:
            raise DependencyUnavailable(f"{self.url}: no response; start a server with `mlops serve`")
        if response.status in (401, 403):
            raise NotAllowed(
                f"{self.url}: needs an API key with the roles predict, feedback and viewer. Create one with"
                " `mlops keys create` and set MLOPS_API_KEY"
            )
        active = response.body.get("active") if isinstance(response.body, dict) else None
        if not response.is_success or active is None:
            raise DependencyUnavailable(
                f"{self.url}: has no active model (status {response.status}); see {self.url}/readyz"
            )
        return ServedModel(
            active["model_name"], active["model_version"], active["model_digest"], Schema.from_dict(active["schema"])
        )

    def _send_request(self, method: str, path: str, body: bytes | None) -> ClientResponse:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if self.api_key is not None:
            headers["Authorization"] = f"Bearer {self.api_key}"
        started_at = time.perf_counter()
        connection = self._thread_connection()
        try:
            connection.request(method, urlsplit(self.url).path.rstrip("/") + path, body, headers)
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException):
            connection.close()  # the next request reopens it
            return ClientResponse(None, None, time.perf_counter() - started_at)
        return ClientResponse(response.status, _decode_json(content), time.perf_counter() - started_at)

    def _thread_connection(self) -> http.client.HTTPConnection:
        if getattr(self._local, "connection", None) is None:
            parts = urlsplit(self.url)
            if parts.scheme not in _CONNECTION_CLASSES or not parts.hostname:
                raise UsageError(f"--url {self.url!r}: expected a URL such as http://127.0.0.1:5000")
            self._local.connection = _CONNECTION_CLASSES[parts.scheme](
                parts.hostname, parts.port, timeout=self.timeout_s
            )
            self._connections.append(self._local.connection)
        connection: http.client.HTTPConnection = self._local.connection
        return connection

    def close(self) -> None:
        """Close the connections of all threads after they have ended."""
        while self._connections:
            self._connections.pop().close()


def _decode_json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
