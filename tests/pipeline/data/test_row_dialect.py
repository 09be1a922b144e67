from pathlib import Path

import pytest

from pipeline.config.groups.source_config import CsvDialect
from pipeline.data.row_dialect import choose_file_dialect, choose_row_dialect

NAMES = ("id", "city", "spent")
DECLARED = CsvDialect(encoding="cp1252", delimiter=";", decimal=",", skip_lines=1, null_values=("", "?"))


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("Customers;;\nid;city;spent\n1;Köln;2,5\n".encode("cp1252"), {}),
        ("id;city;spent\n1;Köln;2,5\n".encode("cp1252"), {"skip_lines": 0}),
        ("id;city;spent\n1;Köln;2,5\n".encode(), {"skip_lines": 0, "encoding": "utf-8"}),
        ("id,city,spent\n1,Köln,2.5\n".encode(), CsvDialect(null_values=("", "?")).model_dump()),
        (b"spent\n2,5\n", {"skip_lines": 0}),
        (b"a;b\n1;2\n", {}),
    ],
    ids=["declared", "no title", "no title, UTF-8", "of a program", "one column", "unknown names"],
)
def test_the_dialect_is_that_whose_header_is_declared(text: bytes, changed: dict[str, object]) -> None:
    assert choose_row_dialect(text, DECLARED, NAMES) == DECLARED.model_copy(update=changed)


def test_names_of_a_file_without_a_header_are_read_where_rows_have_one() -> None:
    declared = CsvDialect(names=NAMES)
    assert choose_row_dialect(b"1,Graz,2.5\n", declared, NAMES) == declared
    assert choose_row_dialect(b"id,city,spent\n1,Graz,2.5\n", declared, NAMES) == CsvDialect()


def test_a_file_is_asked_for_its_start(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("id,city,spent\n1,Graz,2.5\n")
    assert choose_file_dialect(path, DECLARED, NAMES).delimiter == ","
