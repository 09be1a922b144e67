"""Malformed files are refused with the place of each problem; valid ones are read exactly."""

from __future__ import annotations

import csv
import datetime as dt
import tempfile
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.data.csv_reader import parse_csv, read_csv, read_csv_as_text
from pipeline.data.csv_records import MAX_RECORD_BYTES
from pipeline.errors import DataError
from tests.pipeline.data.csv_samples import (
    BROKEN_CELLS,
    BROKEN_FILES,
    BROKEN_LINES,
    DIALECT,
    HEADER,
    SCHEMA,
    Row,
    rows,
    to_csv_text,
)

if TYPE_CHECKING:
    import random

GOOD_ROW = ["1", "0.5", "true", "Yes", "some text", "2026-01-31", "a"]


def problem_places(content: bytes) -> list[tuple[int, str]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        path.write_bytes(content)
        return [(problem.line, problem.rule) for problem in parse_csv(path, SCHEMA, DIALECT).problems]


@settings(max_examples=700, deadline=None, derandomize=True)
@given(rows(), st.sampled_from(sorted(BROKEN_CELLS | BROKEN_LINES)), st.data())
def test_invalid_line_is_refused_with_its_number(table: list[Row], kind: str, data: st.DataObject) -> None:
    row = data.draw(st.integers(0, len(table) - 1))
    places = problem_places((BROKEN_CELLS | BROKEN_LINES)[kind](table, row))
    assert row + 2 in [line for line, _ in places]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(rows(), st.sampled_from(sorted(BROKEN_FILES)))
def test_invalid_file_is_refused_at_its_first_lines(table: list[Row], kind: str) -> None:
    assert problem_places(BROKEN_FILES[kind](table))[0][0] in (1, 2)


@pytest.mark.parametrize("kind", sorted(BROKEN_CELLS | BROKEN_LINES))
def test_only_the_invalid_line_of_an_unquoted_file_is_refused(kind: str) -> None:
    places = problem_places((BROKEN_CELLS | BROKEN_LINES)[kind]([GOOD_ROW] * 3, 1))
    assert {line for line, _ in places} <= {3, 4}
    assert 3 in {line for line, _ in places}


@pytest.mark.parametrize("kind", sorted(BROKEN_FILES))
def test_each_invalid_file_is_refused(kind: str) -> None:
    assert problem_places(BROKEN_FILES[kind]([GOOD_ROW] * 3)) != []


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    rows(),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.booleans(),
    st.permutations(range(len(HEADER))),
)
def test_valid_file_is_read_exactly(
    table: list[Row], end: str, quoting: int, ends_well: bool, order: list[int]
) -> None:
    text = to_csv_text(
        [[row[i] for i in order] for row in table], header=tuple(HEADER[i] for i in order), end=end, quoting=quoting
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        path.write_bytes((text if ends_well else text.removesuffix(end)).encode())
        frame = read_csv(path, SCHEMA, DIALECT)
    assert list(frame.columns) == list(HEADER)
    assert [[*values] for values in frame.astype(object).where(frame.notna(), None).to_numpy()] == [
        [expected_value(cell, name) for cell, name in zip(row, HEADER, strict=True)] for row in table
    ]


def expected_value(cell: str, column: str) -> Any:
    """Return the value of a valid cell, by Python's own readers."""
    if cell == "":
        return None
    read = {
        "integer_column": lambda text: int(float(text)),
        "real": float,
        "flag": lambda text: text.lower() == "true",
        "day": dt.datetime.fromisoformat,
    }
    return read.get(column, str)(cell)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.text(st.sampled_from('a7",\n\r \té'), max_size=40))
def test_fields_equal_those_of_the_strict_reader_of_python(body: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        path.write_bytes(f"x,y\n{body}".encode())
        table, problems = read_csv_as_text(path, DIALECT)
    if not problems:
        cells = [["" if cell is None else cell for cell in row.values()] for row in table.to_pylist()]
        assert cells == list(csv.reader(body.replace("\r\n", "\n").split("\n")[: len(cells)], strict=True))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(rows(), st.randoms(use_true_random=False))
def test_flipped_bytes_give_rows_or_problems_but_no_traceback(table: list[Row], chance: random.Random) -> None:
    content = bytearray(to_csv_text(table).encode())
    for _ in range(chance.randint(1, 5)):
        content[chance.randrange(len(content))] = chance.randrange(256)
    assert all(line >= 1 for line, _ in problem_places(bytes(content)))


def test_ten_megabyte_field_is_refused_and_later_lines_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    long = [*GOOD_ROW[:4], "x" * 10_000_000, *GOOD_ROW[5:]]
    path.write_text(to_csv_text([GOOD_ROW, long, GOOD_ROW, ["007", *GOOD_ROW[1:]]]))
    problems = parse_csv(path, SCHEMA, DIALECT).problems
    assert [(problem.line, problem.column, problem.rule) for problem in problems] == [
        (3, "5", "length"),
        (5, "integer_column", "integer"),
    ]


def test_a_line_of_500_megabytes_is_refused_in_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    with path.open("wb") as stream:
        stream.write(f"{','.join(HEADER)}\n{','.join(GOOD_ROW)}\n".encode())
        for _ in range(500):
            stream.write(b"x" * 1_000_000)
    tracemalloc.start()
    with pytest.raises(DataError, match=r"rows\.csv:3:1: length: "):
        read_csv(path, SCHEMA, DIALECT)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    path.unlink()
    assert peak < 100_000_000


def test_a_long_line_is_refused_just_above_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    for surplus, n_problems in ((0, 0), (1, 1)):
        rest = len(",".join([*GOOD_ROW[:4], *GOOD_ROW[5:]])) + 1
        filler = "x" * (MAX_RECORD_BYTES - rest + surplus)
        path.write_text(to_csv_text([[*GOOD_ROW[:4], filler, *GOOD_ROW[5:]], GOOD_ROW]))
        assert len(parse_csv(path, SCHEMA, DIALECT).problems) == n_problems


def test_header_with_an_endless_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    for size in (200_000, 2_000_000):
        path.write_text(f"{'x' * size},y\n1,2\n")
        assert [problem.line for problem in parse_csv(path, SCHEMA, DIALECT).problems] == [1]
