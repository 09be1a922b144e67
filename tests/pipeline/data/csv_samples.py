"""Valid CSV files of a small declaration, and ways to break them at a known place."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from pipeline.config.groups.source_config import CsvDialect
from pipeline.schema import Column, Schema, Target

DIALECT = CsvDialect()
SCHEMA = Schema(
    name="rows",
    columns=(
        Column("integer_column", "integer", "Int64", nullable=True, minimum=-1000, maximum=1000),
        Column("real", "float", "Float64", nullable=True),
        Column("flag", "boolean", "boolean", nullable=True),
        Column(
            "category_column",
            "category",
            "category",
            nullable=True,
            categories=("No", "Yes"),
            checks={"isin": ["No", "Yes"]},
        ),
        Column("free", "text", "string", nullable=True, role="ignore"),
        Column("day", "datetime", "datetime64[us]", nullable=True, role="time"),
    ),
    target=Target("outcome", ("a", "b"), "b"),
)
HEADER = ("integer_column", "real", "flag", "category_column", "free", "day", "outcome")

Row = list[str]
BreakFile = Callable[[list[Row], int], bytes]


def text_values() -> st.SearchStrategy[str]:
    """Return texts without line breaks, NUL and lone surrogates; not empty, since that is missing."""
    letters = st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"])
    return st.text(st.one_of(letters, st.sampled_from(',";\t'.replace("\t", " "))), min_size=1, max_size=12)


def rows(min_size: int = 1, max_size: int = 12) -> st.SearchStrategy[list[Row]]:
    """Return rows of valid cells in the order of `HEADER`."""
    integer = st.one_of(st.integers(-1000, 1000).map(str), st.integers(0, 99).map(lambda n: f"{n}.0"))
    real = st.floats(allow_nan=False, allow_infinity=False).map(repr)
    flag = st.sampled_from(["true", "false", "True", "FALSE"])
    day = st.dates().map(str)
    cells: list[st.SearchStrategy[str]] = [integer, real, flag, st.sampled_from(["No", "Yes"]), text_values(), day]
    row = st.tuples(*(st.one_of(cell, st.just("")) for cell in cells), st.sampled_from("ab")).map(list)
    return st.lists(row, min_size=min_size, max_size=max_size)


def to_csv_text(table: list[Row], *, header: tuple[str, ...] = HEADER, end: str = "\n", **dialect: Any) -> str:
    """Return a header and rows as CSV."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator=end, **dialect)
    writer.writerows([list(header), *table])
    return stream.getvalue()


def to_csv_lines(table: list[Row]) -> list[str]:
    return to_csv_text(table).splitlines()


def with_cell(column: str, value: str) -> BreakFile:
    """Put `value` into one cell."""

    def broken(table: list[Row], row: int) -> bytes:
        changed = [list(cells) for cells in table]
        changed[row][HEADER.index(column)] = value
        return to_csv_text(changed).encode()

    return broken


def with_line(change: Callable[[str], str]) -> BreakFile:
    """Rewrite one line."""

    def broken(table: list[Row], row: int) -> bytes:
        lines = to_csv_text(table).split("\n")
        lines[row + 1] = change(lines[row + 1])
        return "\n".join(lines).encode("utf-8", "surrogateescape")

    return broken


BROKEN_CELLS: dict[str, BreakFile] = {
    f"{column} {value!r}": with_cell(column, value)
    for column, values in {
        "integer_column": (
            "007",
            "-01",
            "+7",
            " 7",
            "7 ",
            "4.5",
            "1e3",
            "1_000",
            "0x10",
            "٣",
            "NaN",
            "9223372036854775808",
            "7,5",
        ),
        "real": ("1,5", "nan", "inf", "-Infinity", "1e999", "007.5", "1 000", "1.2.3", "--1", "1e", "½"),
        "flag": ("yes", "1", "tRuE", "T", " true"),
        "day": ("2026-02-30", "31.01.2026", "2026-1-5", "2026-01-31T25:00", "2026-01-31T10:00Z", "01/02/2026", "today"),
    }.items()
    for value in values
}

BROKEN_LINES: dict[str, BreakFile] = {
    "trailing comma": with_line(lambda line: f"{line},"),
    "two more fields": with_line(lambda line: f"{line},1,2"),
    "short row": with_line(lambda line: line.rpartition(",")[0]),
    "one field": with_line(lambda _: "x"),
    "empty line": with_line(lambda line: f"\n{line}"),
    "blanks only": with_line(lambda line: f"   \n{line}"),
    "NUL": with_line(lambda line: f"\0{line}"),
    "Latin-1": with_line(lambda line: f"{line}\udce9"),
    "half a character": with_line(lambda line: f"{line}\udce2\udc82"),
    "overlong UTF-8": with_line(lambda line: f"{line}\udcc0\udcaf"),
    "lone carriage return": with_line(lambda line: f"{line}\rx"),
    "open quote": with_line(lambda line: f'"{line}' if line.count('"') % 2 == 0 else line.replace('"', "", 1)),
    "quote inside": with_line(lambda line: f'{line}a"b"'),
    "text behind a quote": with_line(lambda line: f'{line.rpartition(",")[0]},"a"b'),
    "decimal comma": with_line(lambda line: f"1,5,{line}"),
    "semicolons": with_line(lambda _: ";".join("abcdefg")),
    "quoted line break": with_line(lambda line: f'{line.rpartition(",")[0]},"a\nb"'),
    "another CSV glued on": with_line(lambda line: f"{line}{','.join(HEADER)}"),
}

BROKEN_FILES: dict[str, Callable[[list[Row]], bytes]] = {
    "empty": lambda _: b"",
    "header only": lambda _: f"{','.join(HEADER)}\n".encode(),
    "header without a line end": lambda _: ",".join(HEADER).encode(),
    "one column": lambda _: b"outcome\na\nb\n",
    "duplicate header": lambda table: to_csv_text(table, header=("integer_column", *HEADER[:-1])).encode(),
    "renamed header": lambda table: to_csv_text(table, header=("Whole", *HEADER[1:])).encode(),
    "blank in the header": lambda table: to_csv_text(table, header=(" integer", *HEADER[1:])).encode(),
    "no header": lambda table: to_csv_text(table).partition("\n")[2].encode(),
    "column more": lambda table: to_csv_text([[*r, "1"] for r in table], header=(*HEADER, "more")).encode(),
    "column less": lambda table: to_csv_text([r[1:] for r in table], header=HEADER[1:]).encode(),
    "trailing commas": lambda table: to_csv_text(table).replace("\n", ",\n").encode(),
    "semicolon file": lambda table: to_csv_text(table, delimiter=";").encode(),
    "tab file": lambda table: to_csv_text(table, delimiter="\t").encode(),
    "UTF-16": lambda table: to_csv_text(table).encode("utf-16"),
    "UTF-16 without a mark": lambda table: to_csv_text(table).encode("utf-16-le"),
    "UTF-16 big end first": lambda table: to_csv_text(table).encode("utf-16-be"),
    "UTF-32": lambda table: to_csv_text(table).encode("utf-32"),
    "zip": lambda _: b"PK\x03\x04" + bytes(60),
    "JSON": lambda _: b'{"integer_column": 1}\n',
    "HTML": lambda _: b"<html><body>404, not found</body></html>\n",
}
