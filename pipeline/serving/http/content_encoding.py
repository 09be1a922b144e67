"""Decode compressed request bodies, within the size that they state."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from pipeline.serving.http.problems import HttpProblem

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["decode_body", "decoded_size", "is_encoded", "require_known_encoding"]

_HEADER = b"content-encoding"
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_TRAILER_BYTES = 8  # checksum and size


def require_known_encoding(headers: Mapping[bytes, bytes]) -> None:
    """Refuse a body of another encoding than gzip.

    Raises
    ------
    HttpProblem
        With 415.
    """
    if headers.get(_HEADER, b"identity") not in (b"identity", b"gzip"):
        raise HttpProblem(
            "unsupported-media-type", "header Content-Encoding: expected gzip or identity; send the body in one of them"
        )


def is_encoded(headers: Mapping[bytes, bytes]) -> bool:
    """Return whether the body is compressed."""
    return headers.get(_HEADER) == b"gzip"


def decoded_size(body: bytes) -> int:
    """Return the size that a gzip body states for its content; `decode_body` verifies it.

    So the memory of a request is known before it is used.
    """
    if len(body) <= _TRAILER_BYTES:
        raise _malformed()
    return int.from_bytes(body[-4:], "little")


def decode_body(body: bytes) -> bytes:
    """Return the content of a gzip body.

    Raises
    ------
    HttpProblem
        With 400 when it is damaged, has several members, or is longer than it states.
    """
    size = decoded_size(body)
    decoder = zlib.decompressobj(_GZIP_WINDOW)
    try:
        content = decoder.decompress(body, size + 1)
    except zlib.error as error:
        raise _malformed() from error
    if len(content) != size or not decoder.eof or decoder.unused_data:
        raise _malformed()
    return content


def _malformed() -> HttpProblem:
    return HttpProblem("bad-request", "body: is not one complete gzip member; send it again, or uncompressed")
