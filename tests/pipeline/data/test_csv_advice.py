"""A problem names the setting of the source that accepts it, and no setting that does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.config.groups.source_config import CsvDialect
from pipeline.data.csv_advice import advise_cell
from pipeline.data.csv_reader import parse_csv
from pipeline.schema import Column, Schema, Target, TextFormat
from tests.pipeline.data.csv_dialects import DIALECTS, declared

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.schema import ColumnKind


REMEDIES = {
    "UTF-16": 'data.source.encoding: "utf-16" reads it',
    "UTF-16 without a mark": 'data.source.encoding: "utf-16-le" reads it',
    "cp1252": 'data.source.encoding: "cp1252" reads it',
    "semicolons": 'data.source.delimiter: ";" splits it',
    "tabs": 'data.source.delimiter: "\\t" splits it',
    "groups with commas": 'data.source.thousands: "," reads 1100',
    "line breaks in quotes": "data.source.multiline: true reads line breaks inside quotes",
    "titles": "data.source.skip_lines: 3 reads the names in line 4",
    "blank lines": "data.source.skip_blank_lines: true leaves such lines out",
    "padding": "data.source.padded: true reads 7",
    "delimiters at the ends": "data.source.trailing_delimiter: true leaves empty fields at the end of lines out",
    "delimiters at the ends of rows": "data.source.trailing_delimiter: true accepts empty fields",
    "the index of pandas": 'data.source.index_column: "index" names the first column',
}


@pytest.mark.parametrize("name", REMEDIES)
def test_a_problem_names_the_setting_that_reads_the_file(tmp_path: Path, name: str) -> None:
    sample = DIALECTS[name]
    path = tmp_path / "rows.csv"
    path.write_bytes(sample.content)
    problems = parse_csv(path, declared(sample), CsvDialect(), with_target=False).problems
    assert REMEDIES[name] in "\n".join(map(str, problems))


@pytest.mark.parametrize(
    ("cells", "settings", "remedy"),
    [
        (("1,5", "2,25"), {}, 'data.source.decimal: "," reads 1.5'),
        (
            ("1,100", "2,101"),
            {},
            'data.source.decimal: "," reads 1.100, data.source.thousands: "," reads 1100',
        ),
        (("1,100.50", "7"), {}, 'data.source.thousands: "," reads 1100.50'),
        (("1.234.567", "8"), {"decimal": ","}, 'data.source.thousands: "." reads 1234567'),
        (("1.5", "2.5"), {"decimal": ","}, 'data.source.decimal: "." reads 1.5'),
        (("1 200", "7"), {}, 'data.source.thousands: " " reads 1200'),
        ((" 7", "8"), {}, "data.source.padded: true reads 7"),
        (("1,5", "2.5"), {}, None),
        (("007", "8"), {}, 'data.columns.spent.dtype: "string" reads it as a code'),
        (("$7", "8"), {}, 'data.columns.spent.strip: ["$"] reads it'),
        (("7,5 %", "8"), {"decimal": ","}, 'data.columns.spent.strip: ["%"] reads it'),
        (("\u22127", "8"), {}, None),
        (("(7)", "8"), {}, None),
        (("unknown", "8"), {}, 'data.columns.spent.null_values: ["unknown"] reads it as missing'),
        (("?", "8"), {"decimal": ","}, 'data.columns.spent.null_values: ["?"] reads it as missing'),
        (("1,10,0", "8"), {"thousands": ","}, None),
    ],
)
def test_a_number_in_other_signs_is_refused_with_what_reads_the_column(
    tmp_path: Path, cells: tuple[str, str], settings: dict[str, str], remedy: str | None
) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("city;visits;spent\n" + "".join(f"x;1;{cell}\n" for cell in cells))
    problem = parse_csv(
        path, declared(DIALECTS["quotes"]), CsvDialect(delimiter=";", **settings), with_target=False
    ).problems[0]
    assert (problem.line, problem.column, problem.remedy) == (2, "spent", remedy)


def test_a_setting_that_reads_a_private_number_does_not_show_it(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("salary;y\n987654,25;a\n")
    schema = Schema("people", (Column("salary", "float", "Float64", store="bin"),), Target("y", ("a", "b"), "b"))
    problems = parse_csv(path, schema, CsvDialect(delimiter=";")).problems
    assert [problem.remedy for problem in problems] == ['data.source.decimal: "," reads it']


@pytest.mark.parametrize(
    ("kind", "text", "advice"),
    [
        ("integer", "5.5", 'dtype: "Float64" reads it'),
        ("integer", "99999999999999999999", 'dtype: "string" reads it as a code'),
        ("boolean", "Y", 'true_values: ["Y"] with false_values: ["N"] reads it'),
        ("boolean", "off", 'true_values: ["on"] with false_values: ["off"] reads it'),
        ("datetime", "2024-01-01T00:00:00Z", 'zone: "UTC" reads it'),
        ("datetime", "31.12.2024", 'format: "%d.%m.%Y" reads it'),
        ("datetime", "01/02/2024", 'format: "%d/%m/%Y" reads it, as does format: "%m/%d/%Y"'),
        ("datetime", "soon", 'null_values: ["soon"] reads it as missing'),
    ],
)
def test_the_key_of_a_column_that_reads_a_cell_is_named(kind: ColumnKind, text: str, advice: str) -> None:
    assert advise_cell("c", text, TextFormat(kind), dialect=CsvDialect()) == f"data.columns.c.{advice}"
