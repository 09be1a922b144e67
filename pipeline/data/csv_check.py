"""Find all problems of a CSV file: of its format and of its values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.data.csv_reader import parse_csv
from pipeline.data.input_problems import InputProblem, InputProblems, quote_shortened
from pipeline.schema.failures import list_failures

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.config.groups.source_config import CsvDialect
    from pipeline.data.csv_reader import ParsedFile
    from pipeline.schema import Schema
    from pipeline.schema.failures import CellFailure

__all__ = ["check_csv", "expectation", "list_problems"]


def check_csv(path: Path, schema: Schema, dialect: CsvDialect, *, with_target: bool = True) -> list[InputProblem]:
    """Return the problems of a file in the order of its lines, at most 100.

    The problems of the strict reader come first. The rows that it read are then checked against the declared
    rules, and each failure gets its line.

    Raises
    ------
    DataError
        When there is no such file.
    """
    return list_problems(
        path, parse_csv(path, schema, dialect, with_target=with_target), schema, with_target=with_target
    )


def list_problems(path: Path, parsed: ParsedFile, schema: Schema, *, with_target: bool = True) -> list[InputProblem]:
    """Return the problems of a parsed file, and those of its values, in the order of its lines, at most 100."""
    problems = InputProblems(str(path), items=list(parsed.problems))
    if len(parsed.frame) and not problems.is_full:
        invalid_cells = {(problem.line, problem.column) for problem in parsed.problems}
        for failure in list_failures(parsed.frame, schema, with_target=with_target):
            line = int(parsed.line_numbers[failure.row])
            if (line, failure.column) not in invalid_cells:
                value = "an empty cell" if failure.value is None else quote_shortened(failure.value)
                problems.add(line, failure.column, failure.rule, value, expectation(schema, failure))
    return problems.sorted_by_line()


def expectation(schema: Schema, failure: CellFailure) -> str:
    """Return what was expected in place of a value, in the words of every reader of rows."""
    if failure.rule in ("unique", "unique_together"):
        return "expected each value once" if failure.rule == "unique" else "expected each combination once"
    if failure.column == schema.target.column:
        return f"expected one of {', '.join(schema.target.classes)}"
    expected = schema.column(failure.column).expected
    return f"expected {expected}, and not null" if failure.rule == "missing" else f"expected {expected}"
