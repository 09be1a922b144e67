"""Check the records of a block of CSV text with numpy: each check reports the invalid ones and leaves them out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.data.csv_advice import advise_encoding, advise_fields, advise_quote
from pipeline.data.csv_records import LONG_RECORD_HINT, MAX_RECORD_BYTES, Records, remove_padding
from pipeline.data.input_problems import quote_shortened
from pipeline.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pipeline.config.groups.source_config import CsvDialect
    from pipeline.data.input_problems import InputProblems

    Positions = NDArray[np.int64]
    Mask = NDArray[np.bool_]

__all__ = ["LineBlock", "RecordValidator"]

_NEWLINE, _CARRIAGE_RETURN, _QUOTE = b'\n\r"'


@dataclass(frozen=True, slots=True)
class LineBlock:
    """Valid records of a file, each ended by a line feed, and the numbers of their first lines (from 1)."""

    content: bytes
    line_numbers: NDArray[np.int64]


class RecordValidator:
    """The checks of one block: each adds problems and marks their records as invalid."""

    def __init__(self, records: Records, first: int, dialect: CsvDialect, problems: InputProblems) -> None:
        breaks = np.flatnonzero(np.frombuffer(records.content, np.uint8) == _NEWLINE)
        self.n_lines = len(breaks)
        is_by_line = len(breaks) == len(records.starts)
        offsets = np.arange(self.n_lines) if is_by_line else np.searchsorted(breaks, records.starts)
        self._line_numbers = first + offsets
        if dialect.padded:
            records = remove_padding(records, dialect)
        self._content = records.content
        self._data: NDArray[np.uint8] = np.frombuffer(records.content, np.uint8)
        self._starts, self._ends = records.starts, records.ends
        self._dialect = dialect
        self._delimiter = ord(dialect.delimiter)
        self._problems = problems
        self._is_invalid: Mask = np.zeros(len(self._ends), bool)
        self._quotes: Positions = np.empty(0, np.int64)
        self._surplus: Positions = np.empty(0, np.int64)
        self.is_below_header = False
        self.text_below = b""
        self.is_left_out = False

    def valid_lines(self) -> LineBlock:
        """Return the records that passed all checks."""
        if not self._is_invalid.any() and not self._surplus.size:
            return LineBlock(self._content, self._line_numbers)
        is_left = np.repeat(~self._is_invalid, self._ends + 1 - self._starts)
        is_left[self._surplus] = False
        return LineBlock(self._data[is_left].tobytes(), self._line_numbers[~self._is_invalid])

    def leave_out_comments(self) -> None:
        """Leave out the lines that start with the declared character."""
        if self._dialect.comment is not None:
            self._is_invalid |= self._data[self._starts] == ord(self._dialect.comment)
            self.is_left_out = bool(self._is_invalid.all())

    def leave_out_blank_lines(self) -> tuple[Positions, Positions, bool]:
        """Leave out lines without a value; return those above a row, those below all rows, and whether there is one.

        Where `skip_blank_lines` is declared, a line of nothing but delimiters has no value either.
        """
        has_value = np.ones(256, bool)
        has_value[[ord(" "), ord("\t"), _CARRIAGE_RETURN, _NEWLINE]] = False
        has_value[self._delimiter] = not self._dialect.skip_blank_lines
        starts = self._data[self._starts]
        if has_value[starts].all():
            return self._surplus, self._surplus, True
        is_blank = ~np.logical_or.reduceat(has_value[self._data], self._starts)
        rows = np.flatnonzero(~is_blank & ~self._is_invalid)
        blank = np.flatnonzero(is_blank & ~self._is_invalid)
        self._is_invalid |= is_blank
        self.is_left_out = not rows.size
        last_row = rows[-1] if rows.size else -1
        above, below = blank[blank < last_row], blank[blank > last_row]
        return self._line_numbers[above], self._line_numbers[below], bool(rows.size)

    def report_blank_lines(self, numbers: Positions) -> None:
        """Add a problem for each line without a value above a row."""
        remedy = advise_fields(b"", self._dialect, n_fields=0, is_first=False)
        for number in self._problems.take_reportable(numbers).tolist():
            self._problems.add(number, 1, "fields", "an empty line", "expected a row", remedy=remedy)

    def check_length(self) -> None:
        """Refuse records that are too long, so that the size of a field is bounded."""
        for record in np.flatnonzero(self._ends - self._starts > MAX_RECORD_BYTES):
            place = self._starts[record] + MAX_RECORD_BYTES
            self._report(record, place, "length", self._record_bytes(record), LONG_RECORD_HINT)

    def check_bytes(self) -> None:
        """Refuse NUL, bytes that are not in the encoding, and carriage returns outside quotes without a line feed."""
        if b"\0" in self._content:
            self._report_first_per_record(
                np.flatnonzero(self._data == 0), "nul", "a NUL byte", "a CSV file is text; is it UTF-16 or binary?"
            )
        if b"\r" in self._content:
            returns = np.flatnonzero(self._data == _CARRIAGE_RETURN)
            lone = returns[self._data[returns + 1] != _NEWLINE]
            lone = lone[self._is_outside_quotes(lone)] if self._dialect.multiline else lone
            self._report_first_per_record(lone, "line end", "a lone carriage return", "end lines with LF or CRLF")
        if not self._content.isascii():
            self._check_encoding()

    def _is_outside_quotes(self, places: Positions) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        quotes = np.flatnonzero(self._data == _QUOTE)
        n_before_record = np.searchsorted(quotes, self._starts)[self._record_indices(places)]
        return np.asarray((np.searchsorted(quotes, places) - n_before_record) % 2 == 0)

    def _check_encoding(self) -> None:
        try:
            self._content.decode("utf-8")
        except UnicodeDecodeError:
            for record in map(int, np.unique(self._record_indices(np.flatnonzero(self._data >= 0x80)))):
                content = self._record_bytes(record)
                try:
                    content.decode("utf-8")
                except UnicodeDecodeError as error:
                    value = quote_shortened(content[error.start : error.start + 8])
                    hint, remedy = f"not {self._dialect.encoding}", advise_encoding(content, self._dialect)
                    self._report(record, self._starts[record] + error.start, "encoding", value, hint, remedy=remedy)

    def has_sound_fields(self, n_fields: int) -> bool:
        """Whether all quotes are sound and all records have `n_fields` fields; if not, the checks below find where."""
        if self._is_invalid.any():
            return False
        separators = np.flatnonzero(self._data == self._delimiter)
        if b'"' in self._content:
            quotes = np.flatnonzero(self._data == _QUOTE)
            if len(quotes) % 2 or not self._has_quotes_at_edges(quotes):
                return False
            separators = self._outside(separators, quotes)
        n_records = len(self._starts)
        if len(separators) != (n_fields - 1) * n_records:
            return False
        if n_fields == 1:
            return True
        first, last = separators[:: n_fields - 1], separators[n_fields - 2 :: n_fields - 1]
        return bool((first >= self._starts).all() and (last <= self._ends).all())

    def _has_quotes_at_edges(self, quotes: Positions) -> bool:
        """Whether quotes open where a field starts and close where it ends, or are doubled inside it."""
        opens, closes = quotes[::2], quotes[1::2]
        is_edge = np.zeros(256, bool)
        is_edge[[self._delimiter, _NEWLINE]] = True
        is_sound_start = is_edge[self._data[opens - 1]]
        is_sound_start[0] |= opens[0] == 0
        is_edge[_CARRIAGE_RETURN] = True
        is_sound_end = is_edge[self._data[closes + 1]]
        is_doubled = opens[1:] == closes[:-1] + 1
        is_sound_start[1:] |= is_doubled
        is_sound_end[:-1] |= is_doubled
        if not (is_sound_start.all() and is_sound_end.all()):
            return False
        # A line without the end of a quoted field would give its quotes to the next one.
        n_before = np.searchsorted(quotes, self._ends)
        return not (n_before % 2).any()

    def _outside(self, separators: Positions, quotes: Positions) -> Positions:
        """Return the separators outside quotes."""
        gaps = quotes[2::2] - quotes[1:-1:2]
        if gaps.size and gaps.max() <= 3 and quotes[0] == 0:
            behind = quotes[1::2] + 1
            outside: Positions = behind[self._data[behind] == self._delimiter]
        else:
            outside = separators[np.searchsorted(quotes, separators) % 2 == 0]
        return outside

    def check_quotes(self, n_fields: int | None) -> None:
        """Refuse quotes that are not closed in their record, or that occur inside a field and are not doubled."""
        if b'"' not in self._content:
            return
        quotes = np.flatnonzero(self._data == _QUOTE)
        before = np.searchsorted(quotes, self._starts)
        per_record = np.diff(before, append=len(quotes))
        open_records = np.flatnonzero(per_record % 2)
        self._report_open_quotes(quotes[(before + per_record - 1)[open_records]], n_fields)
        closes = (np.arange(len(quotes)) - np.repeat(before, per_record)) % 2 == 1
        neighbor = quotes + np.where(closes, 1, -1)
        beside = self._data[neighbor]
        beside[0] = beside[0] if neighbor[0] >= 0 else _NEWLINE
        is_doubled = (beside == _QUOTE) & (closes | np.append(False, closes[:-1]))
        is_boundary = np.zeros(256, bool)
        is_boundary[[self._delimiter, _NEWLINE]] = True
        stray = quotes[~(is_boundary[beside] | is_doubled | (closes & (beside == _CARRIAGE_RETURN)))]
        hint = "quote the whole field and double the quotes inside it"
        self._report_first_per_record(stray, "quote", "stray", hint)
        self._quotes = quotes

    def _report_open_quotes(self, places: Positions, n_fields: int | None) -> None:
        hint = "close it" if self._dialect.multiline else "close it in its line"

        def advise(place: int) -> str | None:
            if self._dialect.multiline:
                return None
            start = int(self._starts[self._record_indices(np.array([place]))[0]])
            text = self._content[start : start + MAX_RECORD_BYTES] + self.text_below
            return advise_quote(text, 0, self._dialect, n_fields=n_fields)

        self._report_first_per_record(places, "quote", "open", hint, advise)

    def check_fields(self, n_fields: int) -> None:
        """Refuse records that have more or fewer fields than the header."""
        separators = np.flatnonzero(self._data == self._delimiter)
        if self._quotes.size:
            inside = np.searchsorted(self._quotes, separators)
            if self._is_invalid.any():
                # An open quote must not invert the quoting of the records after it.
                inside -= np.searchsorted(self._quotes, self._starts)[self._record_indices(separators)]
            separators = separators[inside % 2 == 0]
        counts = np.diff(np.searchsorted(separators, np.append(self._starts, len(self._data)))) + 1
        if self._dialect.trailing_delimiter:
            counts = self._drop_empty_fields(counts, n_fields)
        deviating = np.flatnonzero((counts != n_fields) & ~self._is_invalid)
        self._is_invalid[deviating] = True
        for record in map(int, self._problems.take_reportable(deviating)):
            count, content = int(counts[record]), self._record_bytes(record).rstrip(b"\r")
            value = quote_shortened(content[:200])
            hint = f"found {pluralize(count, 'field')}; the header has {n_fields}"
            is_first = self.is_below_header and record == 0
            remedy = advise_fields(content, self._dialect, n_fields=n_fields, is_first=is_first)
            place = min(count, n_fields + 1)
            self._problems.add(int(self._line_numbers[record]), place, "fields", value, hint, remedy=remedy)

    def _drop_empty_fields(self, counts: Positions, n_fields: int) -> Positions:
        """Return the counts without empty fields beyond the header, and note the delimiters to leave out."""
        has_return = self._data[np.maximum(self._ends - 1, 0)] == _CARRIAGE_RETURN
        ends = self._ends - has_return
        counts = counts.copy()
        dropped = [self._surplus]
        for n_surplus in np.unique(counts[(counts > n_fields) & ~self._is_invalid]) - n_fields:
            records = np.flatnonzero((counts == n_fields + n_surplus) & ~self._is_invalid)
            places = ends[records][:, None] - 1 - np.arange(n_surplus)
            is_empty = (self._data[places] == self._delimiter).all(axis=1)
            counts[records[is_empty]] = n_fields
            dropped.append(places[is_empty].ravel())
        self._surplus = np.concatenate(dropped)
        return counts

    def _record_indices(self, positions: Positions) -> Positions:
        return np.searchsorted(self._ends, positions)

    def _record_bytes(self, record: int | np.int64) -> bytes:
        return self._content[self._starts[record] : self._ends[record]]

    def _report_first_per_record(
        self,
        positions: Positions,
        rule: str,
        value: str,
        hint: str,
        advise: Callable[[int], str | None] = lambda _: None,
    ) -> None:
        """Mark the record of each of `positions` as invalid; add a problem for the first position in each record."""
        records, first = np.unique(self._record_indices(positions), return_index=True)
        is_new = ~self._is_invalid[records]
        records, first = records[is_new], first[is_new]
        reported = self._problems.take_reportable(records)
        for record, position in zip(reported, positions[first], strict=False):
            start, end = int(self._starts[record]), int(self._ends[record])
            context = self._content[max(start, position - 8) : min(end, position + 9)]
            shown = f"{value} near {quote_shortened(context)}"
            self._report(record, position, rule, shown, hint, remedy=advise(int(position)))
        self._is_invalid[records] = True

    def _report(
        self,
        record: int | np.int64,
        position: int | np.int64,
        rule: str,
        value: str | bytes,
        hint: str,
        *,
        remedy: str | None = None,
    ) -> None:
        """Mark a record as invalid, whether or not its problem is among those that are reported."""
        if self._is_invalid[record]:
            return
        self._is_invalid[record] = True
        before = self._content[self._starts[record] : position]
        field = before.count(self._dialect.delimiter.encode()) + 1
        line = int(self._line_numbers[record]) + before.count(b"\n")
        shown = quote_shortened(value[:200]) if isinstance(value, bytes) else value
        self._problems.add(line, field, rule, shown, hint, remedy=remedy)
