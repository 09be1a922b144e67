"""Read text of a declared encoding as UTF-8, with line feeds as line ends."""

from __future__ import annotations

import codecs
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.config.groups.source_config import Encoding

__all__ = ["INVALID_BYTE", "EncodedStream", "body_encoding", "detect_encoding_mark", "detect_utf16"]

INVALID_BYTE = b"\xff"
_SAMPLE_BYTES = 4096
_UTF8_MARK = codecs.BOM_UTF8
_MARKS: dict[bytes, Encoding] = {
    _UTF8_MARK: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_MULTI_BYTE = frozenset({"utf-8", "utf-16", "utf-16-le", "utf-16-be", "shift-jis", "gb18030", "euc-kr", "big5"})


def _mark_invalid(error: UnicodeError) -> tuple[str, int]:
    """Replace bytes without a meaning by one that is not UTF-8, so that the check of lines finds their place."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\udcff", error.end


codecs.register_error("mark_invalid", _mark_invalid)


def detect_encoding_mark(start: bytes) -> Encoding | None:
    """Return the encoding that a byte order mark at the start of a file declares; None without a mark."""
    return next((encoding for mark, encoding in _MARKS.items() if start.startswith(mark)), None)


def detect_utf16(start: bytes) -> Encoding | None:
    """Return the byte order of text whose every other byte is mostly NUL, as that of Latin letters in UTF-16."""
    low, high = start[:_SAMPLE_BYTES:2], start[1:_SAMPLE_BYTES:2]
    n_low, n_high = low.count(0), high.count(0)
    if n_high > len(high) / 2 and n_low < len(low) / 10:
        return "utf-16-le"
    return "utf-16-be" if n_low > len(low) / 2 and n_high < len(high) / 10 else None


def body_encoding(body: bytes, declared: Encoding) -> Encoding:
    """Return the encoding of a whole text: UTF-8 where it is valid UTF-8, else the declared one."""
    is_utf16 = declared.startswith("utf-16") and b"\0" in body
    return "utf-8" if declared != "utf-8" and not is_utf16 and _is_utf8(body) else declared


class EncodedStream:
    """A stream of any declared encoding that is read as UTF-8 without a mark.

    Bytes that the encoding does not define become `INVALID_BYTE`, which no UTF-8 text contains. A stream whose first
    part has carriage returns and no line feed has carriage returns as line ends; they become line feeds.

    Attributes
    ----------
    mismatch : str or None
        The encoding that the start of the stream shows in place of the declared one; set by the first `read`.
    """

    def __init__(self, stream: IO[bytes], encoding: Encoding) -> None:
        self._stream = stream
        self._encoding = encoding
        self._decoder = None if encoding == "utf-8" else codecs.getincrementaldecoder(encoding)("mark_invalid")
        self._is_at_start = True
        self._ends_with_returns = False
        self.mismatch: str | None = None

    def read(self, size: int) -> bytes:
        """Return the next part of the text; empty at its end alone."""
        content = b""
        data = b"not read"
        while data and not content:
            data = self._stream.read(size)
            content = self._to_utf8(data)
        if self._is_at_start:
            self._is_at_start = False
            self._ends_with_returns = b"\r" in content and b"\n" not in content
        return content.replace(b"\r", b"\n") if self._ends_with_returns else content

    def _to_utf8(self, data: bytes) -> bytes:
        if self._is_at_start:
            self.mismatch = self._find_mismatch(data)
        content = (
            data
            if self._decoder is None
            else self._decoder.decode(data, final=not data).encode("utf-8", "surrogateescape")
        )
        return content.removeprefix(_UTF8_MARK) if self._is_at_start else content

    def _find_mismatch(self, data: bytes) -> str | None:
        marked = detect_encoding_mark(data)
        if marked is not None and not self._encoding.startswith(marked):
            return marked
        if marked is None and self._encoding == "utf-16" and data:
            return detect_utf16(data) or "utf-8"
        if marked is None and self._encoding == "utf-8" and (encoding := detect_utf16(data)) is not None:
            return encoding
        if self._encoding not in _MULTI_BYTE and not data.isascii() and _is_utf8(data):
            return "utf-8"
        return None


def _is_utf8(data: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return False
    return True
