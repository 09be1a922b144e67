"""Split CSV text into blocks of valid records, and report the place of each invalid one.

A record is a line; where `multiline` is declared, line breaks inside quotes do not end it. It is valid when it has
the declared encoding and no NUL, is no longer than `MAX_RECORD_BYTES`, closes its quotes where a field ends, and has
as many fields as the header. numpy checks whole blocks, and memory is bounded by one block.
"""

from __future__ import annotations

import csv
from typing import IO, TYPE_CHECKING

import numpy as np

from pipeline.data.csv_advice import name_setting
from pipeline.data.csv_encoding import EncodedStream
from pipeline.data.csv_header import count_fields, parse_names
from pipeline.data.csv_records import LONG_RECORD_HINT, MAX_RECORD_BYTES, Records, split_records
from pipeline.data.input_problems import quote_shortened
from pipeline.data.record_validator import LineBlock, RecordValidator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.config.groups.source_config import CsvDialect
    from pipeline.data.input_problems import InputProblems

__all__ = ["LineReader"]

# Arrays of a small block stay in the cache; a block of a wide file has enough rows to parse whole columns.
_MIN_BLOCK_BYTES, _MAX_BLOCK_BYTES = 2 << 20, 8 << 20
_BLOCK_BYTES_BY_FIELD = 16 << 10
_EMPTY_HEADER_HINT = "it names the columns; remove the empty lines above it"


class LineReader:
    """Reads CSV text from its start: `read_header` once, then `read_blocks`.

    Parameters
    ----------
    stream : binary file
        At its start.
    dialect : CsvDialect
    problems : InputProblems
        Collects the problems.
    """

    def __init__(self, stream: IO[bytes], dialect: CsvDialect, problems: InputProblems) -> None:
        self._stream = EncodedStream(stream, dialect.encoding)
        self._dialect = dialect
        self._problems = problems
        self._buffer = b""
        self._line_number = 1
        self._first_row_line = 1
        # Lines without a value that end the file if no row follows.
        self._blank_lines = np.empty(0, np.int64)

    def read_header(self) -> list[str]:
        """Return the names of the columns; empty, with a problem added, when they cannot be read."""
        self._buffer = self._stream.read(_MIN_BLOCK_BYTES)
        if self._stream.mismatch is not None:
            remedy = f"{name_setting('encoding', self._stream.mismatch)} reads it"
            hint = f"expected {self._dialect.encoding}"
            self._problems.add(1, 1, "encoding", f"the text is {self._stream.mismatch}", hint, remedy=remedy)
            return []
        if not self._buffer:
            self._problems.add(1, 1, "header", "the file is empty", "its first line names the columns")
            return []
        for _ in range(self._dialect.skip_lines):
            self._buffer = self._buffer.partition(b"\n")[2]
            self._line_number += 1
        if self._dialect.names:
            self._first_row_line = self._line_number
            return list(self._dialect.names)
        names = self._read_names()
        self._first_row_line = self._line_number
        return names

    def first_lines(self) -> list[str]:
        """Return the first lines below the header, as far as one block has them."""
        return self._buffer[:MAX_RECORD_BYTES].decode("utf-8", "replace").splitlines()

    def _read_names(self) -> list[str]:
        while (records := self._split_buffer()).starts.size:
            record = records.content[: int(records.ends[0]) + 1]
            self._problems.header_line = self._line_number
            self._buffer = self._buffer[len(record) :]
            validator = self._validate_block(_single_record(record), n_fields=None)
            self._line_number += validator.n_lines
            if validator.is_left_out:
                continue
            content = validator.valid_lines().content
            return self._parse_names(content.decode("utf-8").rstrip("\r\n")) if content else []
        if len(self._buffer) > MAX_RECORD_BYTES:
            self._report_long_line(self._buffer)
        else:
            self._report_header("there is none", f"the header is the first line that is left; {_EMPTY_HEADER_HINT}")
        return []

    def _split_buffer(self) -> Records:
        """Return the records at the start of the buffer, as long as a header may be."""
        start = self._buffer[: MAX_RECORD_BYTES + 1]
        is_whole = len(start) == len(self._buffer)
        terminated = start if not start or not is_whole or start.endswith(b"\n") else start + b"\n"
        return split_records(terminated, self._dialect, is_at_end=is_whole)

    def _parse_names(self, text: str) -> list[str]:
        if not text.strip():
            skips = f"{name_setting('skip_blank_lines', value=True)} leaves such lines out"
            remedy = skips if self._buffer.strip() else None
            self._report_header("the first line is empty", _EMPTY_HEADER_HINT, remedy=remedy)
            return []
        following = self._split_buffer()
        row = following.content[: int(following.ends[0])] if following.ends.size else b""
        n_fields = count_fields(row.decode("utf-8", "replace").rstrip("\r"), self._dialect)
        try:
            return parse_names(text, self._dialect, n_fields=n_fields)
        except csv.Error as error:
            self._report_header(quote_shortened(text), str(error))
            return []

    def _report_header(self, value: str, hint: str, *, remedy: str | None = None) -> None:
        self._problems.add(self._problems.header_line, 1, "header", value, hint, remedy=remedy)

    def read_blocks(self, n_fields: int) -> Iterator[LineBlock]:
        """Yield the remaining valid records of `n_fields` fields; stop at the end or at too many problems."""
        chunk = self._buffer
        size = min(max(_MIN_BLOCK_BYTES, _BLOCK_BYTES_BY_FIELD * n_fields), _MAX_BLOCK_BYTES)
        is_at_end = False
        while not self._problems.is_full and not is_at_end:
            data = self._stream.read(size)
            is_at_end = not data
            chunk += data
            if is_at_end and chunk and not chunk.endswith(b"\n"):
                chunk += b"\n"
            records = split_records(chunk, self._dialect, is_at_end=is_at_end)
            chunk = chunk[len(records.content) :]
            if records.content:
                validator = self._validate_block(records, n_fields=n_fields)
                self._line_number += validator.n_lines
                yield validator.valid_lines()
            if len(chunk) > MAX_RECORD_BYTES:
                self._report_long_line(chunk)
                chunk = self._skip_to_next_line()
                self._line_number += 1

    def _skip_to_next_line(self) -> bytes:
        """Skip to the end of a line that is too long, and return the bytes that were read after it."""
        while chunk := self._stream.read(_MAX_BLOCK_BYTES):
            end = chunk.find(b"\n")
            if end >= 0:
                return chunk[end + 1 :]
        return b""

    def _report_long_line(self, line: bytes) -> None:
        field = line[:MAX_RECORD_BYTES].count(self._dialect.delimiter.encode()) + 1
        self._problems.add(self._line_number, field, "length", quote_shortened(line[:200]), LONG_RECORD_HINT)

    def _validate_block(self, records: Records, *, n_fields: int | None) -> RecordValidator:
        validator = RecordValidator(records, self._line_number, self._dialect, self._problems)
        validator.is_below_header = self._line_number == self._first_row_line
        validator.text_below = self._buffer[:MAX_RECORD_BYTES] if n_fields is None else b""
        validator.leave_out_comments()
        if n_fields is not None or self._dialect.skip_blank_lines:
            self._leave_out_blank_lines(validator)
        validator.check_length()
        validator.check_bytes()
        if n_fields is not None and validator.has_sound_fields(n_fields):
            return validator
        validator.check_quotes(n_fields)
        if n_fields is not None:
            validator.check_fields(n_fields)
        return validator

    def _leave_out_blank_lines(self, validator: RecordValidator) -> None:
        """Leave out lines without a value: where that is declared, and at the end of the file, which has no row."""
        above, at_end, has_rows = validator.leave_out_blank_lines()
        if self._dialect.skip_blank_lines:
            return
        if has_rows:
            validator.report_blank_lines(np.concatenate((self._blank_lines, above)))
            self._blank_lines = self._blank_lines[:0]
        # More than can be reported need no number.
        self._blank_lines = np.concatenate((self._blank_lines, at_end))[: self._problems.limit + 1]


def _single_record(content: bytes) -> Records:
    return Records(content, np.zeros(1, np.int64), np.array([len(content) - 1], np.int64))
