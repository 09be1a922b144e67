import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.data import compressed_stream
from pipeline.data.formats import workbook_limits
from pipeline.data.formats.workbook_limits import check_workbook
from pipeline.errors import DataError
from tests.pipeline.data.formats.row_files import write_workbook

SHEET = "xl/worksheets/sheet1.xml"


def change_member(path: Path, name: str, change: Callable[[str], str]) -> Path:
    with zipfile.ZipFile(path) as archive:
        texts = {member: archive.read(member).decode() for member in archive.namelist()}
    texts[name] = change(texts.get(name, ""))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, text in texts.items():
            archive.writestr(member, text)
    return path


@pytest.fixture
def workbook(tmp_path: Path) -> Path:
    return write_workbook(tmp_path / "book.xlsx", {"Data": [["a", "b"], [1, 2]]})


def test_an_ordinary_workbook_is_accepted(workbook: Path) -> None:
    check_workbook(workbook)


@pytest.mark.parametrize("cell", ['<c r="XFD1048576">', "<c s='1' r='XFD1048576'>", '<x:c r="xfd1048576">'])
def test_one_cell_far_away_is_refused_before_the_memory_is_taken(workbook: Path, cell: str) -> None:
    change_member(workbook, SHEET, lambda text: text.replace("</sheetData>", f"{cell}<v>1</v></c></sheetData>"))
    with pytest.raises(
        DataError, match=r"spans 17,179,869,184 cells, the last in row 1,048,576.*save the sheet as CSV"
    ):
        check_workbook(workbook)


def test_one_long_text_in_many_cells_is_refused(workbook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook_limits, "_MAX_TEXT_BYTES", 1 << 20)
    change_member(
        workbook, "xl/sharedStrings.xml", lambda _: f"<sst><si><t>b</t></si><si><t>{'a' * 20_000}</t></si></sst>"
    )
    cells = "".join(f'<c r="A{row}" t="s"><v>1</v></c>' for row in range(1, 100))
    change_member(workbook, SHEET, lambda text: text.replace("</sheetData>", f"{cells}</sheetData>"))
    with pytest.raises(DataError, match=r"holds 1,98\d,\d{3} bytes of text"):
        check_workbook(workbook)


def test_an_archive_that_grows_without_bounds_is_refused(workbook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compressed_stream, "_ALWAYS_ACCEPTED_BYTES", 1 << 20)
    change_member(workbook, "xl/media/image1.png", lambda _: "0" * (5 << 20))
    with pytest.raises(DataError, match="grows to more than 200 times its size"):
        check_workbook(workbook)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "is protected by a password"),
        (b"", "is no readable workbook"),
        (b"a,b\n1,2\n", "is no readable workbook"),
        (b"PK\x03\x04" + bytes(100), "is no readable workbook"),
    ],
)
def test_what_is_no_workbook_is_refused_with_its_reason(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "book.xlsx").write_bytes(content)
    with pytest.raises(DataError, match=rf"book\.xlsx: {message}"):
        check_workbook(tmp_path / "book.xlsx")


def test_a_missing_workbook_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        check_workbook(tmp_path / "book.xlsx")
