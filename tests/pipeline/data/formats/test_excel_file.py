import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from pipeline.data.formats.excel_file import HeaderPlace, find_header, open_excel
from pipeline.data.formats.typed_draft import draft_typed_files
from pipeline.data.formats.typed_file import read_all
from pipeline.errors import DataError
from tests.pipeline.data.formats.row_files import write_workbook

MOMENT = dt.datetime.fromisoformat("2026-05-14T10:30:00")
Cells = list[list[Any]]


def columns_of(path: Path, **keys: Any) -> dict[str, list[Any]]:
    file = open_excel(path, **keys)
    columns: dict[str, list[Any]] = read_all(file, file.names).to_pydict()
    return columns


@pytest.mark.parametrize(
    ("rows", "columns"),
    [
        ([["a", "b"], [1, 2.5], [3, 4]], {"a": [1, 3], "b": [2.5, 4.0]}),
        ([["a"], ["#N/A"], [], [5]], {"a": [None, 5]}),
        ([["a"], [1], ["x"], [True]], {"a": ["1", "x", "true"]}),
        (
            [["a"], [MOMENT], [dt.datetime.combine(MOMENT, dt.time())]],
            {"a": [MOMENT, dt.datetime.combine(MOMENT, dt.time())]},
        ),
        ([[None, "a"], [0, 7], [1, 8]], {"a": [7, 8]}),
        ([[" a "], ["007"]], {"a": ["007"]}),
        ([[2024, "b"], [1, 2]], {"2024": [1], "b": [2]}),
        ([["a", None], [1, None]], {"a": [1]}),
    ],
)
def test_cells_keep_what_they_are(tmp_path: Path, rows: Cells, columns: dict[str, list[Any]]) -> None:
    rows = [row or [None] for row in rows]
    found = columns_of(write_workbook(tmp_path / "book.xlsx", {"Data": rows}))
    rows_left = [row for row in zip(*found.values(), strict=True) if any(value is not None for value in row)]
    assert rows_left == [row for row in zip(*columns.values(), strict=True) if any(value is not None for value in row)]
    assert list(found) == list(columns)


@pytest.mark.parametrize(
    ("rows", "skip_lines"),
    [
        ([["a", "b"], [1, 2]], 0),
        ([["Sales"], [], ["a", "b"], [1, 2]], 2),
        ([["Sales", "of 2024"], ["a", "b", "c"], [1, 2, 3]], 1),
        ([["made by", None, "me"], ["a", "b", "c"], [1, None, 3]], 1),
        ([[None, "a", "b"], [0, 1, 2]], 0),
        ([[2023, 2024], [1, 2]], 0),
    ],
)
def test_the_row_of_names_is_found_below_titles(tmp_path: Path, rows: Cells, skip_lines: int) -> None:
    path = write_workbook(tmp_path / "book.xlsx", {"Empty": [], "Data": rows, "Notes": [["x"]]})
    assert find_header(path) == HeaderPlace("Data", skip_lines, ("Notes",))
    assert open_excel(path, sheet="Data", skip_lines=skip_lines).n_rows == len(rows) - skip_lines - 1


def test_a_draft_reads_the_sheet_that_is_named(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "book.xlsx", {"Notes": [["x"], [1]], "Data": [["Sales"], ["a", "b"], [1, 2]]})
    draft = draft_typed_files([path], table="Data")
    assert draft is not None
    assert (draft.texts.column_names, draft.settings["sheet"], draft.settings["skip_lines"]) == (["a", "b"], "Data", 1)


def test_each_cell_of_a_merged_block_has_its_value(tmp_path: Path) -> None:
    rows = [["Title", None], ["city", "n"], ["Ulm", 1], [None, 2], ["Bonn", 3]]
    path = write_workbook(tmp_path / "book.xlsx", {"Data": rows}, merged=["A1:B1", "A3:A4"])
    assert columns_of(path, skip_lines=1) == {"city": ["Ulm", "Ulm", "Bonn"], "n": [1, 2, 3]}


def test_the_index_of_pandas_is_set_aside_by_name(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "book.xlsx", {"Data": [[None, "a"], [0, 7], [1, 8]]})
    assert list(open_excel(path).set_aside) == ["(first column without a name)"]


@pytest.mark.parametrize(
    ("rows", "keys", "message"),
    [
        ([["a", None], [1, 2]], {}, r"sheet 'Data': cell B1: is empty.*data\.source\.skip_lines"),
        ([["a", "a"], [1, 2]], {}, r"cell B1: the name 'a' occurs twice"),
        ([["a"]], {"sheet": "data"}, r"has no sheet 'data'; there are: Data \(data\.source\.sheet\)"),
        ([["a"]], {"skip_lines": 3}, "has no row of names below 3 skipped rows"),
        ([], {}, "has no cells in its sheets"),
        ([["a"], [None], [None]], {"skip_lines": 1}, "has no row of names|has no names in row 2"),
    ],
)
def test_a_sheet_that_is_no_table_is_refused(tmp_path: Path, rows: Cells, keys: dict[str, Any], message: str) -> None:
    path = write_workbook(tmp_path / "book.xlsx", {"Data": rows})
    with pytest.raises(DataError, match=message):
        open_excel(path, **keys)
