"""POST to a declared host: the address that is connected to is the one that was checked, nothing is followed, time is short."""

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

__all__ = ["AllowedHosts", "deadline", "post"]

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class AllowedHosts:
    """Where messages may go: `declared` to public addresses by https, `local` to any, by http as well."""

    declared: Collection[str]
    local: Collection[str]


def post(
    address: str, body: bytes, headers: Mapping[str, str], *, hosts: AllowedHosts, timeout_s: float, setting_name: str
) -> None:
    """Send a body and see that it was taken (2xx).

    Parameters
    ----------
    address : str
        Full address; it may be a secret, so no error names more of it than the host.
    timeout_s : float
        For everything: name, connection, TLS, answer.
    key : str
        Name of the setting, for errors.

    Raises
    ------
    ConfigError
        When the address is none, or its host is not declared.
    DependencyUnavailable
        When the host has a private address and is not local, does not answer in time, or does not say 2xx.
    """
    parts = urlsplit(address)
    host = (parts.hostname or "").lower()
    is_local = host in hosts.local
    if parts.scheme not in ("http", "https") or not host or parts.username is not None:
        raise ConfigError(f"{setting_name}: is no address; accepted: https://HOST/PATH")
    if not is_local and host not in hosts.declared:
        raise ConfigError(
            f"{setting_name}: host {host} is not declared; add it to alerts.allowed_hosts (or alerts.private_hosts)"
        )
    if parts.scheme == "http" and not is_local:
        raise ConfigError(
            f"{setting_name}: http to {host} could be read by others; use https, or declare it in alerts.private_hosts"
        )
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise ConfigError(f"{setting_name}: has no port that there is; accepted: 1 to 65535") from error
    try:
        status = _post_for_status(
            (host, port), path, body, headers, is_tls=parts.scheme == "https", is_local=is_local, timeout_s=timeout_s
        )
    except (OSError, http.client.HTTPException) as error:
        raise DependencyUnavailable(f"{host}: {type(error).__name__}: {error}") from error
    if not 200 <= status < 300:
        more = "; redirects are not followed" if 300 <= status < 400 else ""
        raise DependencyUnavailable(f"{host} answered {status}{more}")


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
    with deadline(plain, timeout_s):
        try:
            connection.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=host) if is_tls else plain
            connection.request("POST", path, body, dict(headers))
            return connection.getresponse().status
        finally:
            connection.close()
            plain.close()


def _connect_to_allowed(host: str, port: int, *, is_local: bool, timeout_s: float) -> socket.socket:
    """Return a connection to an address of the host that is allowed: looked up once, checked, and connected to as it is."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    allowed = [one for one in found if is_local or _is_public(str(one[4][0]))]
    if not allowed:
        raise DependencyUnavailable(
            f"{host}: has only private addresses; declare it in alerts.private_hosts if it is meant to be one of yours"
        )
    last: OSError = OSError("no address")
    for family, kind, protocol, _, place in allowed[:3]:
        made = socket.socket(family, kind, protocol)
        made.settimeout(timeout_s / min(len(allowed), 3))
        try:
            made.connect(place)
        except OSError as error:
            made.close()
            last = error
            continue
        made.settimeout(timeout_s)
        return made
    raise last


def _is_public(address: str) -> bool:
    """Whether an address lies in the public net, also one that another is hidden in."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if found in _NAT64:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            found = inner
    return found.is_global and not found.is_multicast


@contextlib.contextmanager
def deadline(open_socket: socket.socket, seconds: float) -> Iterator[None]:
    """Cut a connection after some seconds, however slowly the other side goes on talking."""
    # TLS takes the connection over and leaves the socket that it was begun with empty; a second handle stays.
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
        # The connection's own time may be over first: TLS counts it over the whole handshake.
        if is_over.is_set() or isinstance(error, TimeoutError):
            raise TimeoutError(f"no answer within {seconds:g} s") from error
        raise
    finally:
        timer.cancel()
        timer.join()
        handle.close()
