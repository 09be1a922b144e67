from pathlib import Path

import pytest

from pipeline.config.file_formats import FORMAT_SUFFIXES
from pipeline.data.formats.readers import TYPED_READERS, is_csv, open_typed_file
from tests.pipeline.data.formats.row_files import write_workbook


def test_each_format_besides_csv_has_a_reader() -> None:
    assert {*TYPED_READERS, "csv"} == set(FORMAT_SUFFIXES)


@pytest.mark.parametrize(
    ("name", "is_text"), [("a.csv", True), ("a.txt.gz", True), ("a.dat", True), ("a.json", False), ("a.db", False)]
)
def test_the_name_decides_whether_a_file_is_csv(name: str, is_text: bool) -> None:
    assert is_csv(Path(name)) is is_text


def test_a_name_without_a_format_is_read_as_declared(tmp_path: Path) -> None:
    (tmp_path / "rows.log").write_text('{"a":1}\n')
    file = open_typed_file(tmp_path / "rows.log", {"kind": "json"})
    assert file is not None
    assert file.names == ("a",)


def test_the_keys_of_the_source_count_for_each_file_of_its_format(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "book.xlsx", {"Notes": [["x"]], "Data": [["Title"], ["a"], [1]]})
    file = open_typed_file(path, {"kind": "excel", "sheet": "Data", "skip_lines": 1})
    assert file is not None
    assert file.names == ("a",)


def test_the_keys_of_another_format_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"a":1}\n')
    file = open_typed_file(tmp_path / "rows.jsonl", {"kind": "excel", "sheet": "Data"})
    assert file is not None
    assert file.names == ("a",)
