"""One request on its way through the server: its fields, its body within limits, and the answer to it."""

from __future__ import annotations

import itertools
import re
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from pipeline.errors import did_you_mean
from pipeline.serving.http.problems import HttpProblem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, MutableMapping

    from pipeline.serving.http.authentication import Principal

    AsgiMessage = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[AsgiMessage]]
    Send = Callable[[AsgiMessage], Awaitable[None]]

__all__ = ["JSON", "ClientDisconnected", "HttpRequest", "HttpResponse", "check_single_headers", "request_id_from"]

JSON = b"application/json"
_JSON = JSON.decode()

# Twice in one request, these would mean one thing to a proxy and another to us.
_SINGLE_HEADERS = {b"host", b"authorization", b"content-type", b"content-encoding", b"idempotency-key", b"x-subject-id"}
_REQUEST_ID_PATTERN = re.compile(r"[A-Za-z0-9._:\-]{1,64}")
_VISIBLE_ASCII = re.compile(r"[\x21-\x7e]{1,128}")

_REQUEST_NUMBERS = itertools.count(1)
_PROCESS_ID = secrets.token_hex(6)


class ClientDisconnected(Exception):
    """The client went away before its body had arrived; nobody is there to be answered."""


@dataclass(slots=True)
class HttpResponse:
    """What goes back: a body with its media type."""

    body: bytes
    status: int = 200
    media_type: bytes = JSON
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)


@dataclass(slots=True)
class HttpRequest:
    """A request whose body has arrived and whose caller may do what is asked."""

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
        """What the body says it is, without parameters, in small letters."""
        sent = self.headers.get(b"content-type", b"")
        return _JSON if sent == JSON else sent.partition(b";")[0].strip().lower().decode("latin-1")

    @property
    def idempotency_key(self) -> str | None:
        """The idempotency key, of this caller alone; None where there is none."""
        sent = _header_text(self.headers, b"idempotency-key", "Idempotency-Key")
        if sent is None:
            return None
        if len(sent) > 2 and sent[0] == sent[-1] == '"':  # as a structured field writes it
            sent = sent[1:-1]
        return f"{self.principal.id}:{sent}" if self.principal.id else sent

    @property
    def subject(self) -> str | None:
        """Whom the rows speak of, so that they can be erased; None where nobody said."""
        return _header_text(self.headers, b"x-subject-id", "X-Subject-Id")

    def check_query_params(self, known: tuple[str, ...]) -> None:
        """Refuse parameters of the query that the operation does not have: one that is misspelt must not be ignored."""
        for name in parse_qs(self.query_string.decode("latin-1"), keep_blank_values=True):
            if name not in known:
                accepted = f"accepted is {', '.join(known)}" if known else "none is accepted here"
                said = f"a query parameter is not known; {accepted}{did_you_mean(name[:64], known)}"
                raise HttpProblem("bad-request", said)

    def query_param(self, name: str, accepted_values: tuple[str, ...], default: str) -> str:
        """Return a parameter of the query, one of the accepted words.

        Raises
        ------
        Refused
            When it is another word, or stands there twice.
        """
        if not self.query_string:
            return default
        found = parse_qs(self.query_string.decode("latin-1"), keep_blank_values=True).get(name, [default])
        if len(found) != 1 or found[0] not in accepted_values:
            raise HttpProblem("bad-request", f"query parameter {name}: accepted is one of {', '.join(accepted_values)}")
        return found[0]


def _header_text(headers: Mapping[bytes, bytes], name: bytes, display_name: str) -> str | None:
    value = headers.get(name)
    if value is None:
        return None
    text = value.decode("latin-1")
    if not _VISIBLE_ASCII.fullmatch(text):
        raise HttpProblem("bad-request", f"header {display_name}: accepted are 1 to 128 visible ASCII characters")
    return text


def check_single_headers(headers: list[tuple[bytes, bytes]]) -> None:
    """Refuse header fields that decide something and stand there twice."""
    names = [name for name, _ in headers]
    for name in _SINGLE_HEADERS:
        if names.count(name) > 1:
            raise HttpProblem("bad-request", f"header {name.decode()}: stands there twice; send it once")


def request_id_from(headers: Mapping[bytes, bytes]) -> str:
    """Return the caller's own id where it is a plain word, otherwise a new one."""
    sent = headers.get(b"x-request-id")
    if sent is not None and _REQUEST_ID_PATTERN.fullmatch(text := sent.decode("latin-1")):
        return text
    return f"{_PROCESS_ID}-{next(_REQUEST_NUMBERS):x}"
