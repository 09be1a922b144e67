from __future__ import annotations

from pipeline.data.input_problems import InputProblem, InputProblems, quote_shortened, to_data_error


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
        "rows.csv: refused for 1 problem(s) above; nothing was read. Correct the file or its declaration",
    ]


def test_quoted_values_are_short_and_on_one_line() -> None:
    assert quote_shortened("a\nb") == "'a\\nb'"
    assert quote_shortened(b"\xff") == "'\\\\xff'"
    assert quote_shortened("a" * 100) == f"'{'a' * 60}'... (100 characters)"
