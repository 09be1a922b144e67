"""Split a CSV file into blocks of valid lines, and report the place of each invalid line.

A line is valid when it is UTF-8 without NUL, no longer than `MAX_LINE_BYTES`, closes its quotes where
a field ends, and has as many fields as the header. Quoted line breaks, a byte order mark and lone carriage
returns are refused, so that a record is a line. numpy checks whole blocks, and memory is bounded by one block.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

import numpy as np

from pipeline.data.input_problems import quote_shortened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pipeline.data.input_problems import InputProblems

    Positions = NDArray[np.int64]
    Mask = NDArray[np.bool_]

__all__ = ["MAX_LINE_BYTES", "LineBlock", "LineReader"]

MAX_LINE_BYTES = 1 << 20
_BLOCK_BYTES = 8 << 20
_NEWLINE, _CARRIAGE_RETURN, _QUOTE = 10, 13, 34
_BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "UTF-8 with a byte order mark", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
_UTF8_HINT = "save the file as UTF-8 without a byte order mark"
_EMPTY_HEADER_HINT = "the first line names the columns; remove the empty lines above it"
_LONG_LINE_HINT = f"a line has at most {MAX_LINE_BYTES:,} bytes; is a line break or a closing quote missing?"


@dataclass(frozen=True, slots=True)
class LineBlock:
    """Valid lines of a file, each ended by a line feed, and their numbers (from 1)."""

    content: bytes
    line_numbers: NDArray[np.int64]


class LineReader:
    """Reads a CSV file from its start: `read_header` once, then `read_blocks`.

    Parameters
    ----------
    stream : binary file
        At its start.
    delimiter : str
        One ASCII character between fields.
    problems : InputProblems
        Collects the problems.
    """

    def __init__(self, stream: IO[bytes], *, delimiter: str, problems: InputProblems) -> None:
        self._stream = stream
        self._delimiter = delimiter
        self._problems = problems
        self._buffer = b""
        self._line_number = 1

    def read_header(self) -> list[str]:
        """Return the fields of the first line; empty, with a problem added, when it is invalid."""
        self._buffer = self._stream.read(_BLOCK_BYTES)
        mark = next((name for start, name in _BYTE_ORDER_MARKS.items() if self._buffer.startswith(start)), None)
        if mark is not None:
            self._problems.add(1, 1, "encoding", mark, _UTF8_HINT)
            return []
        if not self._buffer:
            self._problems.add(1, 1, "header", "the file is empty", "its first line names the columns")
            return []
        line, _, remaining = self._buffer.partition(b"\n")
        if len(line) > MAX_LINE_BYTES:
            self._report_long_line(line)
            return []
        block = self._validate_block(line + b"\n", n_fields=None).valid_lines()
        self._buffer = remaining
        self._line_number = 2
        return self._parse_header(block.content.decode("utf-8").rstrip("\r\n")) if block.line_numbers.size else []

    def _parse_header(self, text: str) -> list[str]:
        if not text.strip():
            self._problems.add(1, 1, "header", "the first line is empty", _EMPTY_HEADER_HINT)
            return []
        try:
            return next(csv.reader([text], delimiter=self._delimiter, strict=True))
        except csv.Error as error:
            self._problems.add(1, 1, "header", quote_shortened(text), str(error))
            return []

    def read_blocks(self, n_fields: int) -> Iterator[LineBlock]:
        """Yield the remaining valid lines of `n_fields` fields; stop at the end of the file or at too many problems."""
        chunk = self._buffer
        is_at_end = False
        while not self._problems.is_full and not is_at_end:
            data = self._stream.read(_BLOCK_BYTES)
            is_at_end = not data
            chunk += data
            end = len(chunk) if is_at_end else chunk.rfind(b"\n") + 1
            lines, chunk = chunk[:end], chunk[end:]
            if lines:
                terminated = lines if lines.endswith(b"\n") else lines + b"\n"
                validator = self._validate_block(terminated, n_fields=n_fields)
                self._line_number += validator.n_lines
                yield validator.valid_lines()
            if len(chunk) > MAX_LINE_BYTES:
                self._report_long_line(chunk)
                chunk = self._skip_to_next_line()
                self._line_number += 1

    def _skip_to_next_line(self) -> bytes:
        """Skip to the end of a line that is too long, and return the bytes that were read after it."""
        while chunk := self._stream.read(_BLOCK_BYTES):
            end = chunk.find(b"\n")
            if end >= 0:
                return chunk[end + 1 :]
        return b""

    def _report_long_line(self, line: bytes) -> None:
        field = line[:MAX_LINE_BYTES].count(self._delimiter.encode()) + 1
        self._problems.add(self._line_number, field, "length", quote_shortened(line[:200]), _LONG_LINE_HINT)

    def _validate_block(self, content: bytes, *, n_fields: int | None) -> _BlockValidator:
        validator = _BlockValidator(content, self._line_number, self._delimiter, self._problems)
        validator.check_length()
        validator.check_bytes()
        validator.check_quotes()
        if n_fields is not None:
            validator.check_fields(n_fields)
        return validator


class _BlockValidator:
    """The checks of one block: each adds problems and marks their lines as invalid."""

    def __init__(self, content: bytes, first: int, delimiter: str, problems: InputProblems) -> None:
        self._content = content
        self._data: NDArray[np.uint8] = np.frombuffer(content, np.uint8)
        self._ends: Positions = np.flatnonzero(self._data == _NEWLINE)
        self._starts: Positions = np.concatenate(([0], self._ends[:-1] + 1))
        self._first_line_number = first
        self._delimiter = ord(delimiter)
        self._problems = problems
        self._is_invalid: Mask = np.zeros(len(self._ends), bool)
        self._quotes: Positions = np.empty(0, np.int64)
        self._is_field_boundary: Mask = np.zeros(256, bool)
        self._is_field_boundary[[self._delimiter, _NEWLINE]] = True

    @property
    def n_lines(self) -> int:
        """The number of lines of the block, valid or not."""
        return len(self._ends)

    def valid_lines(self) -> LineBlock:
        """Return the lines that passed all checks."""
        numbers = np.arange(self._first_line_number, self._first_line_number + len(self._ends), dtype=np.int64)
        if not self._is_invalid.any():
            return LineBlock(self._content, numbers)
        valid = np.flatnonzero(~self._is_invalid)
        lines = (self._content[self._starts[i] : self._ends[i] + 1] for i in valid)
        return LineBlock(b"".join(lines), numbers[valid])

    def check_length(self) -> None:
        """Refuse lines that are too long, so that the size of a field is bounded."""
        for line in np.flatnonzero(self._ends - self._starts > MAX_LINE_BYTES):
            self._report(line, self._starts[line] + MAX_LINE_BYTES, "length", self._line_bytes(line), _LONG_LINE_HINT)

    def check_bytes(self) -> None:
        """Refuse NUL, bytes that are not UTF-8, and carriage returns without a line feed."""
        if b"\0" in self._content:
            self._report_first_per_line(
                np.flatnonzero(self._data == 0), "nul", "a NUL byte", "a CSV file is text; is it UTF-16 or binary?"
            )
        if b"\r" in self._content:
            returns = np.flatnonzero(self._data == _CARRIAGE_RETURN)
            lone = returns[self._data[returns + 1] != _NEWLINE]
            self._report_first_per_line(lone, "line end", "a lone carriage return", "end lines with LF or CRLF")
        if not self._content.isascii():
            self._check_utf8()

    def _check_utf8(self) -> None:
        try:
            self._content.decode("utf-8")
        except UnicodeDecodeError:
            for line in map(int, np.unique(self._line_indices(np.flatnonzero(self._data >= 0x80)))):
                try:
                    self._line_bytes(line).decode("utf-8")
                except UnicodeDecodeError as error:
                    value = quote_shortened(self._line_bytes(line)[error.start : error.start + 8])
                    self._report(line, self._starts[line] + error.start, "encoding", value, f"not UTF-8; {_UTF8_HINT}")

    def check_quotes(self) -> None:
        """Refuse quotes that are not closed in their line, or that occur inside a field and are not doubled."""
        if b'"' not in self._content:
            return
        quotes = np.flatnonzero(self._data == _QUOTE)
        before_line = np.searchsorted(quotes, self._starts)
        per_line = np.diff(before_line, append=len(quotes))
        hint = "close it in its line; line breaks inside quotes are not supported"
        open_lines = np.flatnonzero(per_line % 2)
        self._report_first_per_line(quotes[(before_line + per_line - 1)[open_lines]], "quote", "open", hint)
        closes = (np.arange(len(quotes)) - np.repeat(before_line, per_line)) % 2 == 1
        neighbor = quotes + np.where(closes, 1, -1)
        beside = self._data[neighbor]
        beside[0] = beside[0] if neighbor[0] >= 0 else _NEWLINE
        is_doubled = (beside == _QUOTE) & (closes | np.append(False, closes[:-1]))
        stray = quotes[~(self._is_field_boundary[beside] | is_doubled | (closes & (beside == _CARRIAGE_RETURN)))]
        self._report_first_per_line(stray, "quote", "stray", "quote the whole field and double the quotes inside it")
        self._quotes = quotes

    def check_fields(self, n_fields: int) -> None:
        """Refuse lines that have more or fewer fields than the header."""
        separators = np.flatnonzero(self._data == self._delimiter)
        if self._quotes.size:
            inside = np.searchsorted(self._quotes, separators)
            if self._is_invalid.any():
                # An open quote must not invert the quoting of the lines after it.
                inside -= np.searchsorted(self._quotes, self._starts)[self._line_indices(separators)]
            separators = separators[inside % 2 == 0]
        counts = np.diff(np.searchsorted(separators, np.append(self._starts, len(self._data)))) + 1
        deviating = np.flatnonzero((counts != n_fields) & ~self._is_invalid)
        self._is_invalid[deviating] = True
        for line in map(int, self._problems.take_reportable(deviating)):
            count = int(counts[line])
            value = (
                quote_shortened(self._line_bytes(line).rstrip(b"\r")[:200])
                if count > 1
                else "an empty line, or another delimiter"
            )
            hint = f"found {count} field(s); the header has {n_fields}"
            self._problems.add(self._first_line_number + line, min(count, n_fields + 1), "fields", value, hint)

    def _line_indices(self, positions: Positions) -> Positions:
        return np.searchsorted(self._ends, positions)

    def _line_bytes(self, line: int | np.int64) -> bytes:
        return self._content[self._starts[line] : self._ends[line]]

    def _report_first_per_line(self, positions: Positions, rule: str, value: str, hint: str) -> None:
        """Mark the line of each of `positions` as invalid; add a problem for the first position in each line."""
        lines, first = np.unique(self._line_indices(positions), return_index=True)
        is_new = ~self._is_invalid[lines]
        lines, first = lines[is_new], first[is_new]
        reported = self._problems.take_reportable(lines)
        for line, position in zip(reported, positions[first], strict=False):
            context = self._content[
                max(int(self._starts[line]), position - 8) : min(int(self._ends[line]), position + 9)
            ]
            self._report(line, position, rule, f"{value} near {quote_shortened(context)}", hint)
        self._is_invalid[lines] = True

    def _report(self, line: int | np.int64, position: int | np.int64, rule: str, value: str | bytes, hint: str) -> None:
        """Mark a line as invalid, whether or not its problem is among those that are reported."""
        if self._is_invalid[line]:
            return
        self._is_invalid[line] = True
        field = self._content.count(bytes([self._delimiter]), self._starts[line], position) + 1
        shown = quote_shortened(value[:200]) if isinstance(value, bytes) else value
        self._problems.add(self._first_line_number + int(line), field, rule, shown, hint)
