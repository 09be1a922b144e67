from pathlib import Path

import pytest

from pipeline.data.csv_check import check_csv
from pipeline.errors import DataError
from pipeline.schema import Column, Schema, Target
from tests.pipeline.data.csv_samples import DIALECT

SCHEMA = Schema(
    "people",
    (
        Column("id", "integer", "Int64", unique=True, role="id"),
        Column(
            "age", "integer", "Int64", minimum=0, maximum=120, checks={"in_range": {"min_value": 0, "max_value": 120}}
        ),
        Column("plan", "category", "category", True, categories=("a", "b"), checks={"isin": ["a", "b"]}),
    ),
    Target("churned", ("no", "yes"), "yes"),
)


def check_lines(tmp_path: Path, body: str, *, with_target: bool = True) -> list[str]:
    path = tmp_path / "rows.csv"
    path.write_text(f"id,age,plan{',churned' if with_target else ''}\n{body}")
    problems = check_csv(path, SCHEMA, DIALECT, with_target=with_target)
    return [str(problem).removeprefix(f"{tmp_path}/") for problem in problems]


def test_valid_file_has_no_problem(tmp_path: Path) -> None:
    assert check_lines(tmp_path, "1,30,a,no\n2,31,,yes\n") == []


def test_syntax_and_rule_problems_are_listed_by_line(tmp_path: Path) -> None:
    problems = check_lines(tmp_path, "1,30,a,no\n1,007,a,yes\n3,200,c,no\n4,30\n5,,b,maybe\n")
    assert [line.partition(" (")[0] for line in problems] == [
        "rows.csv:2:id: unique: '1'",
        "rows.csv:3:age: integer: '007'",
        "rows.csv:3:id: unique: '1'",
        "rows.csv:4:age: in_range: '200'",
        "rows.csv:4:plan: isin: 'c'",
        "rows.csv:5:2: fields: '4,30'",
        "rows.csv:6:age: missing: an empty cell",
        "rows.csv:6:churned: isin: 'maybe'",
    ]


def test_refused_lines_do_not_shift_later_line_numbers(tmp_path: Path) -> None:
    problems = check_lines(tmp_path, 'x\n1,30,a,no\n"open\n2,300,a,no\n')
    assert [line.partition(" (")[0] for line in problems] == [
        "rows.csv:2:1: fields: 'x'",
        "rows.csv:4:1: quote: open near '\"open'",
        "rows.csv:5:age: in_range: '300'",
    ]


def test_at_most_a_hundred_problems_are_listed(tmp_path: Path) -> None:
    assert len(check_lines(tmp_path, "".join(f"{row},007,a,no\n" for row in range(500)))) == 100
    assert len(check_lines(tmp_path, "".join(f"{row},{500 + row},a,no\n" for row in range(500)))) == 100


def test_rows_without_a_target_are_checked(tmp_path: Path) -> None:
    assert check_lines(tmp_path, "1,30,a\n", with_target=False) == []


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read: No such file"):
        check_csv(tmp_path / "nothing.csv", SCHEMA, DIALECT)
