from __future__ import annotations

import io

import pytest

from pipeline.config.groups.source_config import CsvDialect
from pipeline.data.csv_lines import LineReader
from pipeline.data.input_problems import InputProblems


def read_lines(content: bytes, delimiter: str = ",") -> tuple[list[str], list[int], list[tuple[int, str]]]:
    """Return the header, the numbers of valid lines, and the line and rule of each problem."""
    problems = InputProblems("rows.csv")
    reader = LineReader(io.BytesIO(content), CsvDialect(delimiter=delimiter), problems)
    header = reader.read_header()
    blocks = list(reader.read_blocks(len(header))) if header else []
    numbers = [int(number) for block in blocks for number in block.line_numbers]
    return header, numbers, [(problem.line, problem.rule) for problem in problems.sorted_by_line()]


def test_valid_lines_have_their_numbers() -> None:
    assert read_lines(b'a,b\r\n1,2\r\n"x,y",3') == (["a", "b"], [2, 3], [])


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (b"1", "fields"),
        (b"1,2,3", "fields"),
        (b"", "fields"),
        (b'"1,2', "quote"),
        (b'1,x"y', "quote"),
        (b"1,\x00", "nul"),
        (b"1,\xff", "encoding"),
        (b"1,2\rx", "line end"),
    ],
)
def test_invalid_line_is_reported_and_the_next_line_is_read(line: bytes, rule: str) -> None:
    assert read_lines(b"a,b\n" + line + b"\n1,2\n") == (["a", "b"], [3], [(2, rule)])


@pytest.mark.parametrize(
    ("content", "rule"), [(b"", "header"), (b"\xef\xbb\xbf", "header"), (b"\xff\xfea", "encoding")]
)
def test_file_without_a_header_is_reported(content: bytes, rule: str) -> None:
    assert read_lines(content) == ([], [], [(1, rule)])
