"""Find the records of a block of CSV text: lines, or lines joined by line breaks inside quotes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.config.groups.source_config import CsvDialect

    Positions = NDArray[np.int64]

__all__ = ["LONG_RECORD_HINT", "MAX_RECORD_BYTES", "Records", "match_record", "remove_padding", "split_records"]

MAX_RECORD_BYTES = 1 << 20
LONG_RECORD_HINT = f"a record has at most {MAX_RECORD_BYTES:,} bytes; is a line break or a closing quote missing?"
_NEWLINE, _RETURN, _QUOTE, _BLANK, _TAB = b'\n\r" \t'


@dataclass(frozen=True, slots=True)
class Records:
    """Records of `content`: positions of their first bytes and of the line feeds that end them."""

    content: bytes
    starts: Positions
    ends: Positions


def split_records(content: bytes, dialect: CsvDialect, *, is_at_end: bool) -> Records:
    """Return the complete records at the start of `content`; what follows the last one is left out.

    Where quotes are unsound, the line with the first unsound quote is a record of its own and the search goes on in
    the line below it.
    """
    data = np.frombuffer(content, np.uint8)
    newlines = np.flatnonzero(data == _NEWLINE)
    if dialect.multiline and b'"' in content:
        ends = _ends_outside_quotes(content, newlines, dialect)
        is_cut = ends is not None and is_at_end and (not ends.size or ends[-1] + 1 < len(content))
        if ends is None or is_cut:
            ends = _search_ends(content, dialect, is_at_end=is_at_end)
    else:
        ends = newlines
    starts = np.concatenate((np.zeros(1, np.int64), ends[:-1] + 1)) if ends.size else ends
    return Records(content[: int(ends[-1]) + 1] if ends.size else b"", starts, ends)


def _ends_outside_quotes(content: bytes, newlines: Positions, dialect: CsvDialect) -> Positions | None:
    """Return the line feeds behind an even number of quotes; None when a quote is unsound."""
    if dialect.comment is not None and re.search(rb'(?m)^%b[^\n]*"' % re.escape(dialect.comment.encode()), content):
        return None
    data = np.frombuffer(content, np.uint8)
    quotes = np.flatnonzero(data == _QUOTE)
    ends = newlines[np.searchsorted(quotes, newlines) % 2 == 0]
    end = int(ends[-1]) + 1 if ends.size else 0
    longest = int(np.diff(ends, prepend=-1).max()) if ends.size else 0
    if max(longest, len(content) - end) > MAX_RECORD_BYTES:
        return None
    quotes = quotes[quotes < end]
    opens, closes = quotes[::2], quotes[1::2]
    is_boundary = np.zeros(256, bool)
    is_boundary[[ord(dialect.delimiter), _NEWLINE, _RETURN]] = True
    if dialect.padded:
        is_boundary[[_BLANK, _TAB]] = True
    before = data[opens - 1]
    is_opened = is_boundary[before] | (opens == 0)
    is_closed = is_boundary[data[closes + 1]]
    # A doubled quote inside a cell closes it and opens it again.
    is_doubled = opens[1:] == closes[:-1] + 1
    is_opened[1:] |= is_doubled
    is_closed[:-1] |= is_doubled
    return ends if is_opened.all() and is_closed.all() else None


def _search_ends(content: bytes, dialect: CsvDialect, *, is_at_end: bool) -> Positions:
    record, unclosed = _record_patterns(dialect)
    comment = None if dialect.comment is None else dialect.comment.encode()
    ends: list[int] = []
    position = 0
    while (newline := content.find(b"\n", position)) >= 0:
        is_comment = comment is not None and content.startswith(comment, position)
        match = None if is_comment else record.match(content, position, position + MAX_RECORD_BYTES)
        if match is not None:
            newline = match.end() - 1
        elif is_comment or is_at_end or len(content) - position > MAX_RECORD_BYTES:
            pass
        elif unclosed.fullmatch(content, position) is not None:
            break
        ends.append(newline)
        position = newline + 1
    return np.array(ends, np.int64)


def match_record(content: bytes, start: int, dialect: CsvDialect) -> int | None:
    """Return where the record that starts at `start` ends, with line breaks inside quotes; None if it is unsound."""
    match = _record_patterns(dialect)[0].match(content, start, start + MAX_RECORD_BYTES)
    return None if match is None else match.end()


def _record_patterns(dialect: CsvDialect) -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
    """Return the pattern of a sound record, and that of one whose last cell is still open."""
    delimiter = re.escape(dialect.delimiter.encode())
    pad = rb"[ \t]*+" if dialect.padded else b""
    field = rb'(?:%b"[^"]*+(?:""[^"]*+)*+"%b|[^"%b\n]*+)' % (pad, pad, delimiter)
    fields = rb"%b(?:%b%b)*+" % (field, delimiter, field)
    record = rb"%b\r?\n" % fields
    unclosed = rb'(?:%b%b)*+%b"[^"]*+(?:""[^"]*+)*+' % (field, delimiter, pad)
    return re.compile(record), re.compile(unclosed)


def remove_padding(records: Records, dialect: CsvDialect) -> Records:
    """Return the records without the blanks and tabs around their cells; those inside quotes stay.

    Where a blank is the delimiter, several of them are one.
    """
    data = np.frombuffer(records.content, np.uint8).copy()
    delimiter = ord(dialect.delimiter)
    is_blank = data == _BLANK
    if delimiter != _TAB:
        is_blank |= data == _TAB
    blanks = np.flatnonzero(is_blank)
    if not blanks.size:
        return records
    is_first = np.diff(blanks, prepend=-2) > 1
    run = np.cumsum(is_first) - 1
    first, last = blanks[is_first], blanks[np.append(is_first[1:], True)]
    is_edge = np.zeros(256, bool)
    is_edge[[_NEWLINE, _RETURN, *([delimiter] if delimiter != _BLANK else [])]] = True
    touches = is_edge[data[last + 1]] | is_edge[data[first - 1]] | (first == 0)
    if delimiter == _BLANK:
        data[first] = _BLANK
        is_removed = touches[run] | ~is_first
    else:
        is_removed = touches[run]
    inside = _is_inside_quotes(data, first, records.starts)
    removed = blanks[is_removed & ~inside[run]]
    is_left = np.ones(len(data), bool)
    is_left[removed] = False
    starts, ends = (places - np.searchsorted(removed, places) for places in (records.starts, records.ends))
    return Records(data[is_left].tobytes(), starts, ends)


def _is_inside_quotes(data: NDArray[np.uint8], places: Positions, starts: Positions) -> NDArray[np.bool_]:
    quotes = np.flatnonzero(data == _QUOTE)
    if not quotes.size:
        return np.zeros(len(places), bool)
    record = np.searchsorted(starts, places, side="right") - 1
    inside: NDArray[np.bool_] = (np.searchsorted(quotes, places) - np.searchsorted(quotes, starts[record])) % 2 == 1
    return inside
