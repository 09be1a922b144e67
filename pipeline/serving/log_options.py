"""How a request is logged, and the keyed digests under which a retry of it is recognized."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.serving.serving_errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.config.groups.monitoring_config import PredictionSource

__all__ = ["LOGGED", "LogOptions", "digest_body", "digest_key", "encode_columns"]

_MAX_WORD_LENGTH = 200
_DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True)
class LogOptions:
    """How a request is logged.

    Parameters
    ----------
    key : str, optional
        Idempotency key: a retry with the same body gets the stored response. A request that is not logged has none.
    caller : str
        Who chose the key; two callers never share one.
    subject : str, optional
        Whom the rows are about, so that the rows of a subject can be erased later.
    is_logged : bool
        Whether the log and the counts of predictions get the rows.
    source : PredictionSource, optional
        Where the request comes from; the source of the engine when None.
    """

    key: str | None = None
    caller: str = ""
    subject: str | None = None
    is_logged: bool = True
    source: PredictionSource | None = None

    def check(self) -> None:
        """Raise InvalidRequest when key and subject are no words."""
        _check_word("Idempotency-Key", self.key)
        _check_word("subject", self.subject)


# A plain request: logged, without key and subject.
LOGGED = LogOptions()


def digest_key(options: LogOptions, *, model: str, hash_key: bytes) -> str:
    """Return the digest of model, caller and idempotency key, under which the response is stored."""
    text = json.dumps([model, options.caller, options.key]).encode()
    return hashlib.blake2b(text, key=hash_key, digest_size=_DIGEST_BYTES, person=b"idempotency-key").hexdigest()


def digest_body(kind: str, body: bytes, *, hash_key: bytes) -> str:
    """Return the digest of a body, which without the key reveals no value that the log drops or hashes."""
    digest = hashlib.blake2b(key=hash_key, digest_size=_DIGEST_BYTES, person=b"request-body")
    digest.update(kind.encode() + b"\0")
    digest.update(body)
    return digest.hexdigest()


def encode_columns(columns: Mapping[str, Sequence[Any]]) -> bytes:
    """Return columns as bytes for `digest_body`: as they were sent, since another model may parse a retry."""
    return msgspec.json.encode(columns, enc_hook=_encode_value)


def _encode_value(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _check_word(header: str, value: str | None) -> None:
    if value is not None and not (0 < len(value) <= _MAX_WORD_LENGTH and value.isprintable() and value.isascii()):
        raise InvalidRequest.for_field(header, "word", f"expected 1 to {_MAX_WORD_LENGTH} printable ASCII characters")
