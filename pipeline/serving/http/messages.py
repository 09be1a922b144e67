"""HTTP requests and responses, and checks of request headers and query parameters."""

from __future__ import annotations

import itertools
import re
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from pipeline.errors import did_you_mean
from pipeline.serving.http.problems import HttpProblem
from pipeline.serving.log_options import LOGGED, LogOptions

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, MutableMapping

    from pipeline.serving.http.authentication import Principal

    AsgiMessage = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[AsgiMessage]]
    Send = Callable[[AsgiMessage], Awaitable[None]]

__all__ = [
    "JSON_MEDIA_TYPE",
    "LOG_QUERY_PARAMS",
    "ClientDisconnected",
    "HttpRequest",
    "HttpResponse",
    "check_single_headers",
    "is_opted_out",
    "request_id_from",
]

JSON_MEDIA_TYPE = b"application/json"
_JSON = JSON_MEDIA_TYPE.decode()

# A proxy might read the first value of these headers where we read the last.
_SINGLE_HEADERS = {b"host", b"authorization", b"content-type", b"content-encoding", b"idempotency-key", b"x-subject-id"}
_REQUEST_ID_PATTERN = re.compile(r"[A-Za-z0-9._:\-]{1,64}")
_VISIBLE_ASCII = re.compile(r"[\x21-\x7e]{1,128}")

# Query parameters that `HttpRequest.log_options` reads.
LOG_QUERY_PARAMS = ("log", "source")
# What a caller may be; the first is the default.
_SOURCES = ("api", "app")

_REQUEST_NUMBERS = itertools.count(1)
_PROCESS_ID = secrets.token_hex(6)


class ClientDisconnected(Exception):
    """The client closed its connection before its body had arrived."""


@dataclass(slots=True)
class HttpResponse:
    """A response: body, status, media type and further headers."""

    body: bytes
    status: int = 200
    media_type: bytes = JSON_MEDIA_TYPE
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)


@dataclass(slots=True)
class HttpRequest:
    """A request of an authorized caller."""

    method: str
    path: str
    query_string: bytes
    headers: Mapping[bytes, bytes]
    request_id: str
    principal: Principal
    path_params: Mapping[str, str]
    body: bytes = b""

    @property
    def media_type(self) -> str:
        """Media type of the body in lower case, without parameters; empty if none is declared."""
        value = self.headers.get(b"content-type", b"")
        return _JSON if value == JSON_MEDIA_TYPE else value.partition(b";")[0].strip().lower().decode("latin-1")

    @property
    def idempotency_key(self) -> str | None:
        """Idempotency key of the caller; None without one."""
        key = _header_text(self.headers, b"idempotency-key", "Idempotency-Key")
        if key is None:
            return None
        if len(key) > 2 and key[0] == key[-1] == '"':  # a structured field (RFC 8941)
            key = key[1:-1]
        return key

    @property
    def subject(self) -> str | None:
        """The person whom the rows describe, for erasure; None without the header."""
        return _header_text(self.headers, b"x-subject-id", "X-Subject-Id")

    def log_options(self) -> LogOptions:
        """Return how the caller wants the request to be logged.

        Raises
        ------
        HttpProblem
            With 400 for a malformed header or parameter; with 403 when the caller may not name another source.
        """
        key, subject = self.idempotency_key, self.subject
        if not self.query_string:
            is_plain = key is None and subject is None
            return LOGGED if is_plain else LogOptions(key, self.principal.id, subject)
        self.query_param("log", ("true", "false"), "true")
        source: Any = self.query_param("source", _SOURCES, _SOURCES[0])
        if source != _SOURCES[0] and "viewer" not in self.principal.roles:
            raise HttpProblem("role-missing", f"source={source} needs the role viewer; leave the parameter out")
        is_logged = not is_opted_out(self.query_string)
        return LogOptions(key, self.principal.id, subject, is_logged, source)

    def check_query_params(self, known: tuple[str, ...]) -> None:
        """Refuse unknown query parameters, so that a misspelled one is not ignored.

        Raises
        ------
        HttpProblem
            With 400.
        """
        for name in _parse_query(self.query_string):
            if name not in known:
                expected = f"expected {', '.join(known)}" if known else "this path accepts none"
                suggestion = did_you_mean(name[:64], known)
                raise HttpProblem("bad-request", f"a query parameter is unknown; {expected}{suggestion}")

    def query_param(self, name: str, accepted_values: tuple[str, ...], default: str) -> str:
        """Return a query parameter, which must be one of the accepted values.

        Raises
        ------
        HttpProblem
            With 400 when it has another value, or is given twice.
        """
        if not self.query_string:
            return default
        values = _parse_query(self.query_string).get(name, [default])
        if len(values) != 1 or values[0] not in accepted_values:
            raise HttpProblem("bad-request", f"query parameter {name}: expected one of {', '.join(accepted_values)}")
        return values[0]


def is_opted_out(query_string: bytes) -> bool:
    """Whether a query asks for a prediction that is not logged."""
    return query_string != b"" and _parse_query(query_string).get("log") == ["false"]


def _parse_query(query_string: bytes) -> dict[str, list[str]]:
    return parse_qs(query_string.decode("latin-1"), keep_blank_values=True)


def _header_text(headers: Mapping[bytes, bytes], name: bytes, display_name: str) -> str | None:
    value = headers.get(name)
    if value is None:
        return None
    text = value.decode("latin-1")
    if not _VISIBLE_ASCII.fullmatch(text):
        raise HttpProblem("bad-request", f"header {display_name}: expected 1 to 128 visible ASCII characters")
    return text


def check_single_headers(headers: list[tuple[bytes, bytes]]) -> None:
    """Refuse repeated headers of which only one may be given.

    Raises
    ------
    HttpProblem
        With 400.
    """
    names = [name for name, _ in headers]
    for name in _SINGLE_HEADERS:
        if names.count(name) > 1:
            raise HttpProblem("bad-request", f"header {name.decode()}: is given twice; send it once")


def request_id_from(headers: Mapping[bytes, bytes]) -> str:
    """Return the request id that the caller sent, if it is valid, otherwise a new one."""
    value = headers.get(b"x-request-id")
    if value is not None and _REQUEST_ID_PATTERN.fullmatch(request_id := value.decode("latin-1")):
        return request_id
    return f"{_PROCESS_ID}-{next(_REQUEST_NUMBERS):x}"
