"""Read JSON: one object in each line, or one array of objects. Memory is bounded by one block."""

from __future__ import annotations

import codecs
import json
import re
from typing import IO, TYPE_CHECKING, Any

import msgspec
import pyarrow as pa

from pipeline.data.compressed_stream import open_rows_stream
from pipeline.data.formats.python_columns import build_column
from pipeline.data.formats.typed_file import TypedFile
from pipeline.data.input_problems import quote_shortened
from pipeline.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["open_json"]

_Row = dict[str, Any]
_BLOCK_BYTES = 4 << 20
_MAX_VALUE_BYTES = 16 << 20
_MAX_BLOCK_ROWS = 20_000
_NESTED: dict[type, str] = {dict: "object", list: "array"}
_EXPECTED = "expected one JSON object for each row, in a line of its own or in one array"
_NOT_BLANK = re.compile(r"[^ \t\r\n]")


def open_json(path: Path) -> TypedFile:
    """Open a JSON file; its names are those of all its objects, in the order of their first use.

    The file is read once to find them. A name that an object lacks is missing there; NaN is missing.
    """
    kinds: dict[str, set[type]] = {}
    n_rows = 0
    for rows in _iter_blocks(path):
        n_rows += len(rows)
        for row in rows:
            for name, value in row.items():
                kinds.setdefault(name, set()).add(type(value))
    nested = {name: f"nested values ({_NESTED[kind]})" for name, found in kinds.items() for kind in found & {*_NESTED}}

    def read(wanted: Sequence[str]) -> Iterator[pa.Table]:
        for rows in _iter_blocks(path):
            yield pa.table({name: build_column([row.get(name) for row in rows]) for name in wanted})

    names = tuple(name for name in kinds if name not in nested)
    if nested and not names:
        found = ", ".join(map(quote_shortened, [*nested][:5]))
        hint = 'pandas writes them with to_json(orient="records", lines=True)'
        raise DataError(f"{path}: has only nested values ({found}); {_EXPECTED}; {hint}")
    text_names = frozenset(name for name in names if kinds[name] - {type(None)} == {str})
    return TypedFile(names, nested, n_rows, read, holds_cells=True, text_names=text_names)


def _iter_blocks(path: Path) -> Iterator[list[_Row]]:
    """Yield the objects of a file in blocks of a few megabytes of text."""
    with open_rows_stream(path) as stream:
        block = stream.read(_BLOCK_BYTES).removeprefix(b"\xef\xbb\xbf")
        if block.lstrip()[:1] == b"[":
            yield from _iter_array(stream, block, path)
        else:
            yield from _iter_lines(stream, block, path)


def _iter_lines(stream: IO[bytes], block: bytes, path: Path) -> Iterator[list[_Row]]:
    decoder = msgspec.json.Decoder(_Row)
    line_number = 1
    while block:
        more = stream.read(_BLOCK_BYTES)
        end = block.rfind(b"\n") + 1 if more else len(block)
        lines, block = block[:end], block[end:] + more
        if len(block) - len(more) > _MAX_VALUE_BYTES:
            raise DataError(f"{path}:{line_number}: a line has more than {_MAX_VALUE_BYTES:,} bytes; {_EXPECTED}")
        try:
            rows = decoder.decode_lines(lines)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            rows = list(_decode_each(lines, path, line_number))
        line_number += lines.count(b"\n")
        if rows:
            yield rows


def _decode_each(lines: bytes, path: Path, first: int) -> Iterator[_Row]:
    """Decode line by line with Python's own reader, which knows NaN; name the line that is no object."""
    for number, line in enumerate(lines.split(b"\n"), start=first):
        if line.strip():
            try:
                row = json.loads(line, parse_constant=_parse_constant)
            except (ValueError, RecursionError) as error:
                reason = f"byte {error.start + 1}: not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
                raise DataError(f"{path}:{number}: {quote_shortened(line[:200])}: {reason}; {_EXPECTED}") from error
            yield _check_row(row, f"{path}:{number}")


def _parse_constant(text: str) -> float | None:
    return None if text == "NaN" else float(text)


def _check_row(row: Any, place: str) -> _Row:
    if not isinstance(row, dict):
        raise DataError(f"{place}: found {quote_shortened(json.dumps(row))}; {_EXPECTED}")
    return row


class _ArrayText:
    """The text of one array, of which one block and one object are in memory."""

    def __init__(self, stream: IO[bytes], block: bytes, path: Path) -> None:
        self._stream = stream
        self._path = path
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._text = self._utf8.decode(block)
        self._at = self._text.index("[") + 1
        self._decoder = json.JSONDecoder(parse_constant=_parse_constant)
        self.n_decoded = 0

    def next_character(self) -> str:
        """Return the next character that is no blank, and stay before it; empty at the end."""
        while True:
            match = _NOT_BLANK.search(self._text, self._at)
            if match is not None:
                self._at = match.start()
                return match.group()
            self._at = len(self._text)
            if not self._read_more():
                return ""

    def skip_character(self) -> None:
        """Move behind the character that `next_character` returned."""
        self._at += 1

    def decode_value(self) -> Any:
        """Return the value that begins here, and move behind it."""
        while True:
            try:
                value, self._at = self._decoder.raw_decode(self._text, self._at)
            except (json.JSONDecodeError, RecursionError) as error:
                if len(self._text) - self._at > _MAX_VALUE_BYTES or not self._read_more():
                    raise self.error(str(error)) from error
            else:
                self.n_decoded += 1
                return value

    def error(self, reason: str) -> DataError:
        """Return the error of the place that is reached."""
        near = quote_shortened(self._text[self._at : self._at + 50])
        return DataError(f"{self._path}: object {self.n_decoded + 1}: {near}: {reason}; {_EXPECTED}")

    def _read_more(self) -> bool:
        block = self._stream.read(_BLOCK_BYTES)
        self._text, self._at = self._text[self._at :] + self._utf8.decode(block, final=not block), 0
        return bool(block)


def _iter_array(stream: IO[bytes], block: bytes, path: Path) -> Iterator[list[_Row]]:
    """Yield the objects of an array."""
    try:
        text = _ArrayText(stream, block, path)
        rows: list[_Row] = []
        while text.next_character() not in ("]", ""):
            row = text.decode_value()
            rows.append(_check_row(row, f"{path}: object {text.n_decoded}"))
            if text.next_character() not in (",", "]"):
                raise text.error("expected a comma, or ] at the end of the array")
            if text.next_character() == ",":
                text.skip_character()
            if len(rows) >= _MAX_BLOCK_ROWS:
                yield rows
                rows = []
        if text.next_character() == "":
            raise text.error("the array is not closed")
        text.skip_character()
        if text.next_character() != "":
            raise text.error("more text after the array")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8: {quote_shortened(error.object[error.start : error.start + 8])}") from error
    yield rows
