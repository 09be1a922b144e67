from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.data.coercion import coerce_to_schema
from pipeline.data.csv_check import check_csv
from pipeline.data.csv_reader import read_csv
from pipeline.data.input_problems import InputProblem, InputProblems, quote_shortened, to_data_error
from pipeline.data.scoring_file import read_scoring_file
from pipeline.errors import DataError
from pipeline.schema import Column, Schema, Target
from pipeline.serving.files.file_reader import read_file_tables
from tests.pipeline.data.csv_samples import DIALECT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CANARY = "canary-987654"
PRIVATE = Schema(
    "people",
    (
        Column("salary", "integer", "Int64", store="bin"),
        Column("note", "text", "string", checks={"str_length": {"max_value": 5}}, store="drop"),
    ),
    Target("y", ("no", "yes"), "yes"),
)
ENTRY_POINTS: dict[str, Callable[[Path], object]] = {
    "ingest": lambda path: read_csv(path, PRIVATE, DIALECT),
    "data check": lambda path: "\n".join(map(str, check_csv(path, PRIVATE, DIALECT))),
    "app": lambda path: "\n".join(map(str, read_scoring_file(path, PRIVATE, DIALECT).problems)),
    "predict FILE": lambda path: list(read_file_tables(path, PRIVATE, ())),
}


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
@pytest.mark.parametrize(
    "row", [f"{CANARY},a,no", f"1,a,b,{CANARY},no", f'1,"{CANARY},no', f"1,\0{CANARY},no"], ids=list("abcd")
)
def test_no_message_quotes_a_value_of_a_private_column(entry_point: str, row: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(f"salary,note,y\n1,a,no\n{row}\n", encoding="utf-8")
    try:
        message = str(ENTRY_POINTS[entry_point](path))
    except DataError as error:
        message = str(error)
    assert CANARY[:8] not in message
    assert "rows.csv:3:" in message
    assert "not shown (" in message


@pytest.mark.parametrize("entry_point", ["data check", "app"])
def test_no_message_quotes_a_private_value_that_breaks_a_check(entry_point: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(f"salary,note,y\n1,{CANARY},no\n", encoding="utf-8")
    message = str(ENTRY_POINTS[entry_point](path))
    assert CANARY not in message
    assert "note: str_length: 'not shown (store: drop)'" in message


@pytest.mark.parametrize("entry_point", ["app", "predict FILE"])
def test_no_message_about_a_parquet_file_quotes_a_private_value(entry_point: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"salary": [1.5, 987654.25], "note": ["a", "b"]}), path)
    with pytest.raises(DataError, match=r"salary: integer: .* not shown \(store: bin\)") as caught:
        ENTRY_POINTS[entry_point](path)
    assert "987654" not in str(caught.value)


def test_a_source_that_does_not_fit_is_refused_without_a_private_value() -> None:
    table = pa.table({"salary": [1.0, 987654.25], "note": ["a", "b"], "y": ["no", "no"]})
    with pytest.raises(DataError, match="not shown") as caught:
        coerce_to_schema(table, PRIVATE, where="the query of $ROWS")
    assert "987654" not in str(caught.value)


def test_problems_are_sorted_by_line_and_cut_at_the_limit() -> None:
    problems = InputProblems("rows.csv", limit=2)
    for line in (3, 1, 2):
        problems.add(line, "age", "integer", "'x'", "expected a number")
    assert [problem.line for problem in problems.sorted_by_line()] == [1, 3]
    assert (problems.is_full, problems.is_truncated) == (True, True)


def test_error_lists_each_problem_and_the_next_step() -> None:
    problem = InputProblem("rows.csv", 2, "age", "integer", "'x'", "expected a number")
    assert str(to_data_error([problem])).splitlines() == [
        "rows.csv:2:age: integer: 'x' (expected a number)",
        "rows.csv: refused for 1 problem above; nothing was read. Correct the file or its declaration",
    ]


def test_quoted_values_are_short_and_on_one_line() -> None:
    assert quote_shortened("a\nb") == "'a\\nb'"
    assert quote_shortened(b"\xff") == "'\\\\xff'"
    assert quote_shortened("a" * 100) == f"'{'a' * 60}'... (100 characters)"
