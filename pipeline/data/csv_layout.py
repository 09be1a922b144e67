"""Find where the rows of CSV text begin and how their cells are separated, from its first lines."""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["CsvLayout", "detect_layout"]

_DELIMITERS = (",", ";", "\t", "|")
_COMMENTS = ("#", "%")
_MIN_SHARE = 0.8
_NUMBER = re.compile(r"[-+$€£]?\s*[0-9][0-9.,' ]*%?|[-+]?[0-9.]+[eE][-+]?[0-9]+")
_DECIMAL_NUMBER = re.compile(r"-?[0-9]+[.,][0-9]+|-[0-9]+")
_EXCEL_MARK = re.compile(r"sep=(.)\s*")


@dataclass(frozen=True, slots=True)
class CsvLayout:
    """Settings of a dialect that differ from the default, and by setting the evidence for it."""

    settings: dict[str, Any]
    evidence: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Rows:
    """Records of the first lines for one delimiter: their fields, and the number of lines above each."""

    delimiter: str
    fields: list[list[str]]
    n_above: list[int]
    is_padded: bool

    @property
    def usual_count(self) -> int:
        """The number of fields that most records have."""
        counts = Counter(len(fields) for fields in self.fields if any(fields))
        return max(counts, key=lambda count: (counts[count], count), default=1)

    @property
    def header_index(self) -> int:
        """The first record with the usual number of fields, or with one less where those below begin with a name."""
        usual = self.usual_count
        index = next(i for i, fields in enumerate(self.fields) if len(fields) == usual)
        index = self._below_sparse_titles(index)
        above = [i for i in range(index) if any(self.fields[i])]
        if not above or len(self.fields[above[-1]]) != usual - 1:
            return index
        # A title with almost as many fields has the names below it.
        has_numbers = any(_is_number(field) for fields in self.fields[index + 1 :] for field in fields)
        is_title = self._looks_like_header(index) and (has_numbers or usual == 2)
        return index if is_title else above[-1]

    def _below_sparse_titles(self, index: int) -> int:
        """Return the record of names below titles that a spreadsheet fills up with empty fields, else `index`."""
        usual = self.usual_count
        for below in range(index, len(self.fields)):
            n_filled = sum(1 for field in self.fields[below] if field.strip())
            if n_filled * 2 > usual:
                return below if self._looks_like_header(below) else index
        return index

    def _looks_like_header(self, index: int) -> bool:
        """Whether a record names columns: it has distinct texts and no number."""
        fields = self.fields[index]
        named = [field.strip() for field in fields if field.strip()]
        return bool(named) and not any(map(_is_number, named)) and len(set(named)) == len(named)

    @property
    def score(self) -> tuple[bool, bool, bool, float, int]:
        """How well the delimiter fits; larger is better."""
        usual = self.usual_count
        if usual < 2:
            return False, False, False, 0.0, 1
        below = [fields for fields in self.fields[self.header_index + 1 :] if any(fields)]
        share = len(self.body()) / len(below) if below else 1.0
        index = self.header_index
        is_full = len(self.fields[index]) >= usual
        return share >= _MIN_SHARE, self._looks_like_header(index), is_full, round(share, 2), usual

    def body(self) -> list[list[str]]:
        """Return the rows below the header with the usual number of fields; more of them are empty."""
        usual = self.usual_count
        below = self.fields[self.header_index + 1 :]
        return [fields for fields in below if len(fields) >= usual and any(fields) and not any(fields[usual:])]


def detect_layout(lines: Sequence[str]) -> CsvLayout:
    """Return the layout of text with these first lines (without their ends)."""
    excel = _EXCEL_MARK.fullmatch(lines[0]) if lines else None
    if excel is not None:
        delimiter = {} if excel[1] == "," else {"delimiter": excel[1]}
        reason = f"line 1 is {lines[0].strip()!r}, as Excel writes it"
        return CsvLayout({**delimiter, "skip_lines": 1}, {"skip_lines": reason, "delimiter": reason})
    comment = _find_comment(lines)
    rows = _best_rows([None if comment and line.startswith(comment) else line for line in lines])
    settings: dict[str, Any] = {}
    evidence: dict[str, str] = {}

    def note(key: str, value: Any, reason: str) -> None:
        settings[key], evidence[key] = value, reason

    if comment is not None:
        example = next(line for line in lines if line.startswith(comment))
        note("comment", comment, f"lines such as {example[:40]!r} are no rows")
    if rows is None:
        return CsvLayout(settings, evidence)
    n_rows = len(rows.body())
    if rows.delimiter != ",":
        reason = f"{rows.delimiter!r} separates {rows.usual_count} fields in {n_rows} of the first rows"
        note("delimiter", rows.delimiter, reason)
    if rows.is_padded:
        note("padded", value=True, reason="there are blanks around cells")
    n_above = rows.n_above[rows.header_index]
    above = [line for line in lines[:n_above] if not (comment and line.startswith(comment))]
    if above:
        note("skip_lines", n_above, f"the names are in line {n_above + 1}, below {_first_text(above)}")
    _note_names(rows, note, n_above)
    return CsvLayout(settings, evidence)


def _first_text(lines: Sequence[str]) -> str:
    text = next((line.strip() for line in lines if line.strip()), "")
    return repr(text[:40]) if text else "blank lines"


def _note_names(rows: _Rows, note: Any, n_above: int) -> None:
    """Note what the header lacks: names of an index, of fields at the end, of some or of all columns."""
    header = [field.strip() for field in rows.fields[rows.header_index]]
    body = rows.body()
    usual = rows.usual_count
    if _is_row(header, body):
        names = [f"column_{number}" for number in range(1, usual + 1)]
        note("names", names, f"line {n_above + 1} is a row as those below it, so that columns have no names")
        return
    n_named = len(header)
    while n_named > 1 and not header[n_named - 1]:
        n_named -= 1
    has_more = any(len(fields) > n_named for fields in body)
    if has_more and not any(any(map(str.strip, fields[n_named:])) for fields in body):
        note("trailing_delimiter", value=True, reason="lines end with empty fields beyond the names")
        header = header[:n_named]
    elif len(header) == usual - 1 or (not header[0] and all(header[1:])):
        index = next(name for name in ("index", "row_index", "index_of_row") if name not in header)
        note("index_column", index, "the first column has no name, as the index of pandas or the row names of R")
        return
    if not all(header) or len(set(header)) < len(header):
        note("names", _distinct_names(header), f"line {n_above + 1} has empty or equal names, which get numbers")
        note("skip_lines", n_above + 1, f"the names of line {n_above + 1} are replaced")


def _distinct_names(header: list[str]) -> list[str]:
    names: list[str] = []
    for number, name in enumerate(header, start=1):
        base = name or f"column_{number}"
        repeats = (f"{base}_{n}" for n in range(2, len(header) + 2))
        names.append(base if base not in names else next(new for new in repeats if new not in (*names, *header)))
    return names


def _is_row(header: list[str], body: list[list[str]]) -> bool:
    """Whether the first record is a row: it has numbers that name no column, and no name that is only there."""
    numbers = [field for field in header if _is_number(field)]
    if not numbers or not body:
        return False
    if len(numbers) == len(header):
        integers = [int(field) for field in numbers if field.isdigit()]
        is_sequence = integers == list(range(integers[0], integers[0] + len(header))) if integers else False
        return not (len(integers) == len(header) and is_sequence)
    seen = [{fields[i].strip() for fields in body} for i in range(len(body[0]))]
    recurs = all(field in seen[i] for i, field in enumerate(header) if field and not _is_number(field))
    return len(header) == len(seen) and (recurs or any(map(_DECIMAL_NUMBER.fullmatch, numbers)))


def _is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text.strip()) is not None


def _find_comment(lines: Sequence[str]) -> str | None:
    """Return the character that starts lines which are no rows: unlike the others, and not the header itself."""
    for mark in _COMMENTS:
        marked = [line for line in lines if line.startswith(mark)]
        others = [line for line in lines if line.strip() and not line.startswith(mark)]
        if not marked or not others:
            continue
        rows = _best_rows(others)
        if rows is None:
            return mark
        n_fields = [len(next(csv.reader([line], delimiter=rows.delimiter), [])) for line in marked]
        if any(count != rows.usual_count for count in n_fields):
            return mark
    return None


def _best_rows(lines: Sequence[str | None]) -> _Rows | None:
    """Return the records for the delimiter that fits best; None where no delimiter gives two fields."""
    candidates = [rows for delimiter in _DELIMITERS if (rows := _split(lines, delimiter)).score[0]]
    if not any(rows.score[1] for rows in candidates):
        candidates += [rows for rows in [_split(lines, " ")] if rows.score[0] and (rows.score[1] or not candidates)]
    return max(candidates, key=lambda rows: rows.score, default=None)


def _split(lines: Sequence[str | None], delimiter: str) -> _Rows:
    """Return the records of lines; None among them is a line that is left out."""
    fields: list[list[str]] = []
    n_above: list[int] = []
    is_padded = delimiter == " " and any("  " in line or line != line.strip(" ") for line in lines if line)
    position = 0

    def records() -> Any:
        nonlocal position
        for position, line in enumerate(lines, start=1):  # noqa: B007 - the reader asks for the number
            if line is not None:
                yield f"{_collapse(line) if delimiter == ' ' else line}\n"

    reader = csv.reader(records(), delimiter=delimiter, skipinitialspace=delimiter != " ")
    start = 0
    try:
        for record in reader:
            n_lines = reader.line_num - start
            start = reader.line_num
            fields.append(record)
            n_above.append(position - n_lines)
    except csv.Error:
        return _Rows(delimiter, [], [], is_padded)
    if delimiter != " ":
        is_padded = _has_padding([line for line in lines if line], delimiter)
    return _Rows(delimiter, fields, n_above, is_padded)


def _collapse(line: str) -> str:
    return re.sub(r"[ \t]+", " ", line.strip())


def _has_padding(lines: Sequence[str], delimiter: str) -> bool:
    """Whether blanks around cells are part of how the lines are written: around numbers or quotes, or most cells."""
    mark = re.escape(delimiter)
    text = re.sub(r'"[^"]*"', '"', "\n".join(lines[1:]))
    blank = r"[ ]+" if delimiter == "\t" else r"[ \t]+"
    before = rf'(?:^|{mark}){blank}(?:"|-?[0-9.]+[ \t]*(?:{mark}|$))'
    behind = rf'(?:"|(?:^|{mark})-?[0-9.]+){blank}(?:{mark}|$)'
    if re.search(f"(?m){before}|{behind}", text):
        return True
    n_padded = len(re.findall(rf"{mark}{blank}[^\s{mark}]|[^\s{mark}]{blank}(?={mark})", text))
    return n_padded > text.count(delimiter) / 2
