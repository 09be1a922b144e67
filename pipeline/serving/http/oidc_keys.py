"""Fetch the signing keys of an OpenID Connect issuer, within a total time and a total size."""

from __future__ import annotations

import asyncio
import functools
import http.client
import io
import json
import time
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pipeline.errors import ConfigError
from pipeline.serving.http.loopback import is_loopback
from pipeline.serving.steady_clock import elapsed_s

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

__all__ = ["IssuerKeys", "check_issuer_address"]

# For both responses together: a request with an unknown key waits no longer.
_FETCH_TIMEOUT_S = 5.0
_MIN_FETCH_INTERVAL_S = 30.0
# Older keys are fetched again while requests go on; much older ones (after a pause without requests) before that.
_REFRESH_AGE_S = 3000.0
_MAX_KEY_AGE_S = 3600.0
_MAX_RESPONSE_BYTES = 1_000_000
_MAX_KEYS = 100


@dataclass(slots=True)
class IssuerKeys:
    """The signing keys of one issuer by their id; they are fetched at need, at most every 30 s.

    Parameters
    ----------
    issuer : str
        Address of the issuer.
    elapsed : callable
        Returns the seconds of a clock that never jumps.
    """

    issuer: str
    elapsed: Callable[[], float] = elapsed_s
    _keys: dict[str, Any] = field(default_factory=dict)
    _fetched_at_s: float = float("-inf")
    _fetch: asyncio.Task[None] | None = None

    async def find(self, kid: str) -> Any:
        """Return the key with an id, None if the issuer has no such key or does not respond in five seconds."""
        age = self.elapsed() - self._fetched_at_s
        is_unknown = kid not in self._keys
        if age > (_MIN_FETCH_INTERVAL_S if is_unknown else _REFRESH_AGE_S) and not self._is_fetching:
            self._fetched_at_s = self.elapsed()
            self._fetch = asyncio.create_task(self._fetch_keys(), name="fetch-oidc-keys")
        if self._fetch is not None and self._is_fetching and (is_unknown or age > _MAX_KEY_AGE_S):
            await asyncio.wait({self._fetch}, timeout=_FETCH_TIMEOUT_S)
        return self._keys.get(kid)

    @property
    def _is_fetching(self) -> bool:
        return self._fetch is not None and not self._fetch.done()

    async def _fetch_keys(self) -> None:
        import jwt

        try:
            key_set = await asyncio.to_thread(self._download_key_set)
            self._keys = {key.key_id: key for key in _parse_keys(key_set)}
        except (OSError, ArithmeticError, LookupError, RecursionError, TypeError, ValueError, AttributeError):
            return  # the fetched keys stay valid; tokens with an unknown key are refused until the next fetch
        except (jwt.PyJWTError, http.client.HTTPException):
            return

    def _download_key_set(self) -> Any:
        deadline_s = time.monotonic() + _FETCH_TIMEOUT_S
        configuration = _fetch_json(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration", deadline_s)
        return _fetch_json(str(configuration["jwks_uri"]), deadline_s)


def check_issuer_address(issuer: str) -> None:
    """Refuse an address whose keys another machine on the way could replace.

    Raises
    ------
    ConfigError
        When it is neither https nor http on loopback.
    """
    if not _is_protected(issuer):
        raise ConfigError(f"the OIDC issuer {issuer!r}: expected an https address (http only on loopback)")


def _is_protected(address: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))


def _parse_keys(key_set: Any) -> list[Any]:
    """Return the usable keys of a key set; one that cannot be read leaves the others intact."""
    import jwt

    descriptions = key_set["keys"]
    if not isinstance(descriptions, list) or len(descriptions) > _MAX_KEYS:
        raise ValueError(f"expected a list of at most {_MAX_KEYS} keys")
    keys = []
    for description in descriptions:
        if not isinstance(description, dict) or not isinstance(description.get("kid"), str):
            continue
        if description.get("use", "sig") == "sig" and description.get("kty") in ("RSA", "EC", "OKP"):
            try:
                keys.append(jwt.PyJWK.from_dict(description))
            except (jwt.PyJWTError, ArithmeticError, TypeError, ValueError):
                continue
    if not keys:
        raise ValueError("the key set has no usable key")
    return keys


def _fetch_json(address: str, deadline_s: float) -> Any:
    """Return the JSON at an address, read whole before a moment of `time.monotonic`; redirects are refused."""
    if not _is_protected(address):
        raise ValueError("the keys of an issuer are fetched by https only")
    opener = urllib.request.build_opener(_RefusedRedirect, _HttpHandler(deadline_s), _HttpsHandler(deadline_s))
    with opener.open(address, timeout=max(0.1, deadline_s - time.monotonic())) as response:
        body = response.read(_MAX_RESPONSE_BYTES + 1)
    if len(body) > _MAX_RESPONSE_BYTES:
        raise ValueError(f"the response has more than {_MAX_RESPONSE_BYTES:,} bytes")
    return json.loads(body)


class _RefusedRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: it may lead from https to http, or into the network of the server."""

    def redirect_request(self, *_: Any) -> None:
        """Return None, which makes the redirect an error."""


class _DeadlineReader(io.RawIOBase):
    """Reads from a socket until a moment; the socket's own timeout begins anew with each byte."""

    def __init__(self, stream: socket.socket, deadline_s: float) -> None:
        self._socket = stream
        self._deadline_s = deadline_s
        self._raw: Any = stream.makefile("rb", buffering=0)

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what has arrived."""
        remaining_s = self._deadline_s - time.monotonic()
        if remaining_s <= 0:
            raise TimeoutError("the issuer did not respond in time")
        self._socket.settimeout(remaining_s)
        return int(self._raw.readinto(buffer) or 0)

    def close(self) -> None:
        """Release the socket."""
        self._raw.close()
        super().close()


class _DeadlineResponse(http.client.HTTPResponse):
    """A response that has to be complete before a moment."""

    def __init__(self, stream: socket.socket, *args: Any, deadline_s: float, **options: Any) -> None:
        super().__init__(stream, *args, **options)
        self.fp.close()
        self.fp = io.BufferedReader(_DeadlineReader(stream, deadline_s))


def _connect(
    kind: type[http.client.HTTPConnection], deadline_s: float, host: str, **options: Any
) -> http.client.HTTPConnection:
    connection = kind(host, **options)
    connection.response_class = functools.partial(_DeadlineResponse, deadline_s=deadline_s)  # type: ignore[assignment]  # called as a class
    return connection


class _HttpHandler(urllib.request.HTTPHandler):
    def __init__(self, deadline_s: float) -> None:
        super().__init__()
        self._deadline_s = deadline_s

    def http_open(self, request: urllib.request.Request) -> Any:
        """Open an address on loopback."""
        connect: Any = functools.partial(_connect, http.client.HTTPConnection, self._deadline_s)
        return self.do_open(connect, request)


class _HttpsHandler(urllib.request.HTTPSHandler):
    def __init__(self, deadline_s: float) -> None:
        super().__init__()
        self._deadline_s = deadline_s

    def https_open(self, request: urllib.request.Request) -> Any:
        """Open an https address, with the certificates of the system."""
        connect: Any = functools.partial(_connect, http.client.HTTPSConnection, self._deadline_s)
        return self.do_open(connect, request)
