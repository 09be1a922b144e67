"""Every reader of CSV files refuses bad lines by their place, however many there are."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.config.groups.source_config import CsvDialect
from pipeline.data.csv_check import check_csv
from pipeline.data.csv_lines import LineReader
from pipeline.data.csv_reader import iter_csv_tables, read_csv, read_csv_as_text, text_formats
from pipeline.data.input_problems import MAX_INPUT_PROBLEMS, InputProblems, to_data_error
from pipeline.data.scoring_file import read_scoring_file
from pipeline.errors import DataError
from pipeline.schema import Column, Schema, Target
from pipeline.serving.http.tabular import read_tabular_body
from pipeline.serving.serving_errors import InvalidRequest
from tests.pipeline.data.bad_lines import EMPTY_FIRST_LINES, MANY_BAD_LINES
from tests.pipeline.data.csv_samples import DIALECT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SCHEMA = Schema(
    "visits",
    (
        Column("visits", "integer", "Int64", nullable=True),
        Column("plan", "category", "category", nullable=True, categories=("a", "b"), checks={"isin": ["a", "b"]}),
    ),
    Target("answer", ("no", "yes"), "yes"),
)


def _refuse_text(path: Path) -> None:
    _, problems = read_csv_as_text(path, DIALECT)
    if problems:
        raise to_data_error(problems)


def _refuse_check(path: Path) -> None:
    problems = check_csv(path, SCHEMA, DIALECT)
    if problems:
        raise to_data_error(problems)


def _refuse_scoring_file(path: Path) -> None:
    problems = read_scoring_file(path, SCHEMA, DIALECT).problems
    if problems:
        raise to_data_error(problems)


def _refuse_body(path: Path) -> None:
    read_tabular_body("text/csv", path.read_bytes(), SCHEMA, max_rows=1000)


READERS: dict[str, Callable[[Path], Any]] = {
    "ingest": lambda path: read_csv(path, SCHEMA, DIALECT),
    "data init": _refuse_text,
    "data check": _refuse_check,
    "predict FILE": lambda path: list(iter_csv_tables(path, text_formats(SCHEMA), DIALECT, private_notes={})),
    "the app": _refuse_scoring_file,
    "POST /predict/batch": _refuse_body,
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("content", MANY_BAD_LINES)
def test_every_reader_refuses_more_bad_lines_than_it_reports(tmp_path: Path, content: str, reader: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(MANY_BAD_LINES[content])
    with pytest.raises((DataError, InvalidRequest), match=r"rows\.csv:\d+|line \d+"):
        READERS[reader](path)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("content", EMPTY_FIRST_LINES)
def test_every_reader_names_the_first_line_when_it_is_empty(tmp_path: Path, content: str, reader: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(EMPTY_FIRST_LINES[content])
    with pytest.raises((DataError, InvalidRequest), match=r"rows\.csv:1:|line 1"):
        READERS[reader](path)


@pytest.mark.parametrize("content", MANY_BAD_LINES)
@pytest.mark.parametrize("limit", [1, 3, MAX_INPUT_PROBLEMS, 10_000])
def test_the_limit_of_reported_lines_does_not_change_the_valid_ones(content: str, limit: int) -> None:
    def valid_lines(limit: int) -> list[int]:
        reader = LineReader(io.BytesIO(MANY_BAD_LINES[content]), CsvDialect(), InputProblems("rows.csv", limit))
        header = reader.read_header()
        return [int(number) for block in reader.read_blocks(len(header)) for number in block.line_numbers]

    assert valid_lines(limit) == valid_lines(100_000)


def test_reported_problems_are_known_to_be_cut() -> None:
    problems = InputProblems("rows.csv", limit=2)
    reader = LineReader(io.BytesIO(b"a,b\n1\n2\n3\n4,5\n"), CsvDialect(), problems)
    blocks = list(reader.read_blocks(len(reader.read_header())))
    assert ([problem.line for problem in problems.items], problems.is_truncated) == ([2, 3], True)
    assert [block.line_numbers.tolist() for block in blocks] == [[5]]
