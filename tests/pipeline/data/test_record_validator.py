from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.config.groups.source_config import CsvDialect
from pipeline.data.csv_reader import parse_csv
from pipeline.schema import Column, Schema, Target
from tests.pipeline.data.csv_dialects import DIALECTS, declared

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("content", "numbers", "places"),
    [
        (b'a,b\n"x\ny",1\n"o\n2,3\n"p\nq",4\n', [2, 5, 6], [(4, "quote")]),
        (b'a,b\n1,"x"y\n"z\n\n",2\n', [3], [(2, "quote")]),
        (b'a,b\n"x\n\xff",2\n3,4\n', [4], [(3, "encoding")]),
        (b'a,b\n"1\n2",3,4\n5,6\n', [4], [(2, "fields")]),
    ],
)
def test_unsound_records_among_line_breaks_do_not_take_others_with_them(
    tmp_path: Path, content: bytes, numbers: list[int], places: list[tuple[int, str]]
) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    schema = Schema(
        "s", tuple(Column(name, "text", "string", nullable=True) for name in "ab"), Target("y", ("c", "d"), "d")
    )
    parsed = parse_csv(path, schema, CsvDialect(multiline=True), with_target=False)
    assert parsed.line_numbers.tolist() == numbers
    assert [(problem.line, problem.rule) for problem in parsed.problems] == places


def test_blank_lines_between_rows_are_refused_across_blocks_and_at_the_end_are_not(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(b"city,visits,spent\nx,1,2\n" + b"\n" * ((8 << 20) + 10) + b"y,1,2\n\n\n")
    parsed = parse_csv(path, declared(DIALECTS["quotes"]), CsvDialect(), with_target=False)
    assert len(parsed.problems) == 100
    assert (parsed.problems[0].line, parsed.problems[0].rule) == (3, "fields")
    path.write_bytes(b"city,visits,spent\nx,1,2\n" + b"\n" * ((8 << 20) + 10))
    assert parse_csv(path, declared(DIALECTS["quotes"]), CsvDialect(), with_target=False).problems == []
