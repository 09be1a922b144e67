"""POST to an allowed host, safe against server-side request forgery (SSRF).

The client connects to the IP address that it checked, follows no redirect, and has a deadline.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import os
import socket
import ssl
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pipeline.errors import ConfigError, DependencyUnavailable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

__all__ = ["AllowedHosts", "close_socket_after", "post_to_allowed_host"]

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class AllowedHosts:
    """Hosts of receivers: `declared` at public addresses by https, `local` at any address, also by http."""

    declared: Collection[str]
    local: Collection[str]


def post_to_allowed_host(
    address: str, body: bytes, headers: Mapping[str, str], *, hosts: AllowedHosts, timeout_s: float, setting_name: str
) -> None:
    """Send a body and require a 2xx response.

    Parameters
    ----------
    address : str
        Full address; it may be a secret, so errors name the host only.
    timeout_s : float
        For the whole call: look-up, connection, TLS, response.
    setting_name : str
        Name of the setting, for errors.

    Raises
    ------
    ConfigError
        When the address is not valid, or its host is not declared.
    DependencyUnavailable
        When the host has a private address and is not local, or does not respond with 2xx in time.
    """
    parts = urlsplit(address)
    host = (parts.hostname or "").lower()
    is_local = host in hosts.local
    if parts.scheme not in ("http", "https") or not host or parts.username is not None:
        raise ConfigError(f"{setting_name}: the address is not valid; expected https://HOST/PATH")
    if not is_local and host not in hosts.declared:
        raise ConfigError(
            f"{setting_name}: host {host} is not declared; add it to alerts.allowed_hosts (or alerts.private_hosts)"
        )
    if parts.scheme == "http" and not is_local:
        raise ConfigError(
            f"{setting_name}: http to {host} is not encrypted; use https, or declare the host in alerts.private_hosts"
        )
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise ConfigError(f"{setting_name}: the port is not valid; expected 1 to 65535") from error
    try:
        status = _post_for_status(
            (host, port), path, body, headers, is_tls=parts.scheme == "https", is_local=is_local, timeout_s=timeout_s
        )
    except (OSError, http.client.HTTPException) as error:
        raise DependencyUnavailable(f"{host}: {type(error).__name__}: {error}") from error
    if not 200 <= status < 300:
        hint = "; redirects are not followed" if 300 <= status < 400 else ""
        raise DependencyUnavailable(f"{host} responded with {status}{hint}")


def _post_for_status(
    host_and_port: tuple[str, int],
    path: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    is_tls: bool,
    is_local: bool,
    timeout_s: float,
) -> int:
    host, port = host_and_port
    connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    plain = _connect_to_allowed(host, port, is_local=is_local, timeout_s=timeout_s)
    with close_socket_after(plain, timeout_s):
        try:
            connection.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=host) if is_tls else plain
            connection.request("POST", path, body, dict(headers))
            return connection.getresponse().status
        finally:
            connection.close()
            plain.close()


def _connect_to_allowed(host: str, port: int, *, is_local: bool, timeout_s: float) -> socket.socket:
    """Return a connection to an allowed address of the host, which is looked up once."""
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    allowed = [address for address in addresses if is_local or _is_public(str(address[4][0]))]
    if not allowed:
        raise DependencyUnavailable(
            f"{host}: has only private addresses; declare it in alerts.private_hosts if that is intended"
        )
    last: OSError = OSError("no address")
    for family, kind, protocol, _, socket_address in allowed[:3]:
        connection = socket.socket(family, kind, protocol)
        connection.settimeout(timeout_s / min(len(allowed), 3))
        try:
            connection.connect(socket_address)
        except OSError as error:
            connection.close()
            last = error
            continue
        connection.settimeout(timeout_s)
        return connection
    raise last


def _is_public(address: str) -> bool:
    """Whether an address is public; an address inside of another (NAT64, 6to4) counts."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        inner = parsed.ipv4_mapped or parsed.sixtofour or (parsed.teredo[1] if parsed.teredo else None)
        if parsed in _NAT64:
            inner = ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)
        if inner is not None:
            parsed = inner
    return parsed.is_global and not parsed.is_multicast


@contextlib.contextmanager
def close_socket_after(open_socket: socket.socket, seconds: float) -> Iterator[None]:
    """Close a connection after some seconds, even while the other side sends slowly."""
    # TLS takes over the socket; a second handle stays open to shut it down.
    handle = socket.socket(fileno=os.dup(open_socket.fileno()))

    def cut() -> None:
        is_over.set()
        with contextlib.suppress(OSError):
            handle.shutdown(socket.SHUT_RDWR)

    is_over = threading.Event()
    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (OSError, http.client.HTTPException) as error:
        # The timeout of the socket may pass first: TLS counts it over the whole handshake.
        if is_over.is_set() or isinstance(error, TimeoutError):
            raise TimeoutError(f"no response within {seconds:g} s") from error
        raise
    finally:
        timer.cancel()
        timer.join()
        handle.close()
