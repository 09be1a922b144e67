"""One request on its way through the server: its fields, its body within limits, and the answer to it."""

from __future__ import annotations

import itertools
import re
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from pipeline.errors import did_you_mean
from pipeline.serving.http.problems import Refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, MutableMapping

    from pipeline.serving.http.access import Principal

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]

__all__ = ["JSON", "Answer", "Call", "Disconnected", "check_single", "request_id_of"]

JSON = b"application/json"
_JSON = JSON.decode()

# Twice in one request, these would mean one thing to a proxy and another to us.
_SINGLE = {b"host", b"authorization", b"content-type", b"content-encoding", b"idempotency-key", b"x-subject-id"}
_WORD = re.compile(r"[A-Za-z0-9._:\-]{1,64}")
_TEXT = re.compile(r"[\x21-\x7e]{1,128}")

_NUMBERS = itertools.count(1)
_PROCESS = secrets.token_hex(6)


class Disconnected(Exception):
    """The client went away before its body had arrived; nobody is there to be answered."""


@dataclass(slots=True)
class Answer:
    """What goes back: a body with its media type."""

    body: bytes
    status: int = 200
    media_type: bytes = JSON
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)


@dataclass(slots=True)
class Call:
    """A request whose body has arrived and whose caller may do what is asked."""

    method: str
    path: str
    query_string: bytes
    fields: Mapping[bytes, bytes]
    request_id: str
    principal: Principal
    parameters: Mapping[str, str]
    body: bytes = b""

    @property
    def media_type(self) -> str:
        """What the body says it is, without parameters, in small letters."""
        sent = self.fields.get(b"content-type", b"")
        return _JSON if sent == JSON else sent.partition(b";")[0].strip().lower().decode("latin-1")

    @property
    def key(self) -> str | None:
        """The idempotency key, of this caller alone; None where there is none."""
        sent = _text(self.fields, b"idempotency-key", "Idempotency-Key")
        if sent is None:
            return None
        if len(sent) > 2 and sent[0] == sent[-1] == '"':  # as a structured field writes it
            sent = sent[1:-1]
        return f"{self.principal.id}:{sent}" if self.principal.id else sent

    @property
    def subject(self) -> str | None:
        """Whom the rows speak of, so that they can be erased; None where nobody said."""
        return _text(self.fields, b"x-subject-id", "X-Subject-Id")

    def check_query(self, known: tuple[str, ...]) -> None:
        """Refuse parameters of the query that the operation does not have: one that is misspelt must not be ignored."""
        for name in parse_qs(self.query_string.decode("latin-1"), keep_blank_values=True):
            if name not in known:
                accepted = f"accepted is {', '.join(known)}" if known else "none is accepted here"
                said = f"a query parameter is not known; {accepted}{did_you_mean(name[:64], known)}"
                raise Refused("bad-request", said)

    def query(self, name: str, accepted: tuple[str, ...], default: str) -> str:
        """Return a parameter of the query, one of the accepted words.

        Raises
        ------
        Refused
            When it is another word, or stands there twice.
        """
        if not self.query_string:
            return default
        found = parse_qs(self.query_string.decode("latin-1"), keep_blank_values=True).get(name, [default])
        if len(found) != 1 or found[0] not in accepted:
            raise Refused("bad-request", f"query parameter {name}: accepted is one of {', '.join(accepted)}")
        return found[0]


def _text(fields: Mapping[bytes, bytes], name: bytes, spoken: str) -> str | None:
    value = fields.get(name)
    if value is None:
        return None
    text = value.decode("latin-1")
    if not _TEXT.fullmatch(text):
        raise Refused("bad-request", f"header {spoken}: accepted are 1 to 128 visible ASCII characters")
    return text


def check_single(raw: list[tuple[bytes, bytes]]) -> None:
    """Refuse header fields that decide something and stand there twice."""
    names = [name for name, _ in raw]
    for name in _SINGLE:
        if names.count(name) > 1:
            raise Refused("bad-request", f"header {name.decode()}: stands there twice; send it once")


def request_id_of(fields: Mapping[bytes, bytes]) -> str:
    """Return the caller's own id where it is a plain word, otherwise a new one."""
    sent = fields.get(b"x-request-id")
    if sent is not None and _WORD.fullmatch(text := sent.decode("latin-1")):
        return text
    return f"{_PROCESS}-{next(_NUMBERS):x}"
