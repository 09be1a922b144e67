"""Ask the HTTP API of the project whether it is ready and which version it serves."""

from __future__ import annotations

import http.client
import json
import os
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.config.groups.alerts_config import MonitoredServerConfig
    from pipeline.config.groups.serving_config import ServingConfig

__all__ = ["API_URL_ENV", "ApiFacts", "ServerAddress", "get_from_server", "probe_api", "server_address"]

API_URL_ENV = "MLOPS_API_URL"

_PROBE_TIMEOUT_S = 1.5
_MAX_HEALTH_BYTES = 65_536
# An address to bind that no client can ask, and the one of this machine that it covers.
_LOOPBACK_BY_WILDCARD = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - not bound here  # nosec B104
_CONNECTIONS = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """The address of the API without credentials, and whether the environment declares it."""

    scheme: str
    host: str
    port: int | None
    path: str
    is_declared: bool

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}{'' if self.port is None else f':{self.port}'}{self.path}"


@dataclass(frozen=True, slots=True)
class ApiFacts:
    """What the API responded.

    Attributes
    ----------
    outcome : str
        `not_ready` if it responds and cannot predict, `foreign` if another program responds, `invalid` if the declared
        address is no URL.
    address : str
    is_declared : bool
        Whether the environment declares the address; otherwise it is the one of conf/serving.
    detail : str
        The reason of an outcome other than `ready`.
    model, version, served_by
        What the API serves; None if it does not report it.
    """

    outcome: Literal["ready", "not_ready", "no_response", "foreign", "invalid"]
    address: str = ""
    is_declared: bool = False
    detail: str = ""
    model: str | None = None
    version: int | None = None
    served_by: str | None = None


def server_address(
    server: MonitoredServerConfig, serving: ServingConfig, environment: Mapping[str, str] | None = None
) -> ServerAddress:
    """Return the address of the API: by `alerts.server.url_env`, by MLOPS_API_URL, otherwise that of conf/serving.

    Raises
    ------
    ConfigError
        When a declared address is not valid.
    """
    variables = os.environ if environment is None else environment
    names = (name for name in (server.url_env, API_URL_ENV) if variables.get(name))
    name = next(names, None)
    if name is None:
        host = _LOOPBACK_BY_WILDCARD.get(serving.host, serving.host)
        return ServerAddress("http", host, serving.port, "", is_declared=False)
    invalid = ConfigError(f"{name}: the address is not valid; expected http://HOST:PORT or https://HOST:PORT")
    try:
        parts = urlsplit(variables[name])
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise invalid from error
    if parts.scheme not in _CONNECTIONS or not host:
        raise invalid
    return ServerAddress(parts.scheme, host, port, parts.path.rstrip("/"), is_declared=True)


def get_from_server(
    address: ServerAddress, path: str, *, timeout_s: float, max_bytes: int, headers: Mapping[str, str] | None = None
) -> tuple[int, bytes]:
    """Return status and body of a GET, at most `max_bytes` of it; no proxy is used and no redirect followed.

    Raises
    ------
    OSError
        When the server does not respond completely within `timeout_s` after the connection.
    """
    connection = _CONNECTIONS[address.scheme](address.host, address.port, timeout=timeout_s)
    deadline = threading.Timer(timeout_s, _interrupt, (connection,))
    deadline.daemon = True
    try:
        connection.connect()
        deadline.start()
        connection.request("GET", f"{address.path}{path}", headers=dict(headers or {}))
        response = connection.getresponse()
        return response.status, response.read(max_bytes)
    except (http.client.HTTPException, ValueError) as error:
        raise OSError(f"no valid response ({type(error).__name__})") from error
    finally:
        deadline.cancel()
        connection.close()


def _interrupt(connection: http.client.HTTPConnection) -> None:
    """End a response that arrives too slowly; each byte of it would restart the timeout of the socket."""
    with suppress(OSError, AttributeError):
        connection.sock.shutdown(socket.SHUT_RDWR)


def probe_api(
    server: MonitoredServerConfig,
    serving: ServingConfig,
    *,
    environment: Mapping[str, str] | None = None,
    timeout_s: float = _PROBE_TIMEOUT_S,
) -> ApiFacts:
    """Ask `/health` of the API, without credentials; a failure is an outcome."""
    try:
        address = server_address(server, serving, environment)
    except ConfigError as error:
        return ApiFacts("invalid", is_declared=True, detail=str(error))
    place = (str(address), address.is_declared)
    try:
        status, body = get_from_server(address, "/health", timeout_s=timeout_s, max_bytes=_MAX_HEALTH_BYTES)
    except OSError as error:
        return ApiFacts("no_response", *place, detail=error.strerror or str(error) or type(error).__name__)
    health = _parse_health(body)
    if health is None:
        return ApiFacts("foreign", *place, detail=f"status {status}, without the members of its health")
    is_ready = health["ready"] is True and status == 200
    return ApiFacts(
        "ready" if is_ready else "not_ready",
        *place,
        detail="" if is_ready else str(health.get("reason") or f"status {status}"),
        model=_member(health, "model_name", str),
        version=_member(health, "model_version", int),
        served_by=_member(health, "served_by", str),
    )


def _parse_health(body: bytes) -> dict[str, Any] | None:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) and isinstance(parsed.get("ready"), bool) else None


def _member(health: dict[str, Any], name: str, kind: type) -> Any:
    value = health.get(name)
    return value if isinstance(value, kind) else None
