"""Read a sheet of a workbook (Excel, LibreOffice): the row of names, and the rows of values below it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pipeline.data.formats.optional_readers import import_reader
from pipeline.data.formats.python_columns import build_column
from pipeline.data.formats.typed_file import TypedFile
from pipeline.data.formats.workbook_limits import check_workbook
from pipeline.data.input_problems import quote_shortened
from pipeline.errors import DataError
from pipeline.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["HeaderPlace", "find_header", "open_excel"]

_BATCH_ROWS = 20_000
_HEADER_SEARCH_ROWS = 50
_INDEX = "the row numbers of a pandas frame"


@dataclass(frozen=True, slots=True)
class HeaderPlace:
    """Where the row of names is: its sheet, the rows above it, and the other visible sheets with cells."""

    sheet: str
    skip_lines: int
    other_sheets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Sheet:
    name: str
    others: tuple[str, ...]
    rows: list[list[Any]]
    first_column: int


def open_excel(path: Path, *, sheet: str | None = None, skip_lines: int = 0) -> TypedFile:
    """Open a sheet of a workbook.

    Parameters
    ----------
    path : Path
    sheet : str, optional
        Its name; by default that of the first visible sheet with cells.
    skip_lines : int
        Rows above the row of names, such as titles.

    Returns
    -------
    TypedFile
        Empty cells and errors such as #N/A are missing, empty rows are left out, and each cell of a merged block has
        its value.

    Raises
    ------
    DataError
        When the workbook is damaged, protected by a password or grows without bounds, lacks the sheet, or a name is
        empty or occurs twice.
    DependencyUnavailable
        When the reader is not installed.
    """
    loaded = _load_sheet(path, sheet)
    where = f"{path}: sheet {loaded.name!r}"
    if len(loaded.rows) <= skip_lines:
        raise DataError(f"{where}: has no row of names below {pluralize(skip_lines, 'skipped row')}")
    header = [_name_of(cell) for cell in loaded.rows[skip_lines]]
    rows = [row for row in loaded.rows[skip_lines + 1 :] if any(cell != "" for cell in row)]
    set_aside: dict[str, str] = {}
    positions: dict[str, int] = {}
    for position, name in enumerate(header):
        cells = [row[position] for row in rows] if name == "" else []
        place = f"{where}: cell {_column_letters(loaded.first_column + position)}{skip_lines + 1}"
        if name == "" and position == 0 and cells and cells == list(range(len(cells))):
            set_aside["(first column without a name)"] = _INDEX
        elif name == "" and any(cell != "" for cell in cells):
            raise DataError(f"{place}: is empty; expected the name of its column. {_hint(loaded.rows, skip_lines)}")
        elif name in positions:
            raise DataError(f"{place}: the name {name!r} occurs twice; rename one of the columns")
        elif name != "":
            positions[name] = position
    if not positions:
        raise DataError(f"{where}: has no names in row {skip_lines + 1}. {_hint(loaded.rows, skip_lines)}")

    def read(names: Sequence[str]) -> Iterator[pa.Table]:
        for start in range(0, len(rows), _BATCH_ROWS):
            part = rows[start : start + _BATCH_ROWS]
            columns = list(zip(*part, strict=True))
            yield pa.table({name: build_column(_without_empty(columns[positions[name]])) for name in names})

    return TypedFile(tuple(positions), set_aside, len(rows), read, holds_cells=True)


def find_header(path: Path, *, sheet: str | None = None) -> HeaderPlace:
    """Return where the names of a workbook are: in `sheet`, by default the first visible sheet with cells.

    The row of names is the first one with a different text in each column that has values.
    """
    loaded = _load_sheet(path, sheet)
    width = max((sum(cell != "" for cell in row) for row in loaded.rows), default=0)
    for number, row in enumerate(loaded.rows[:_HEADER_SEARCH_ROWS]):
        names = [cell for cell in row if cell != ""]
        # An index of pandas has no name.
        is_complete = len(names) == width or (len(names) == width - 1 and row[0] == "" and width > 1)
        if is_complete and all(isinstance(name, str) for name in names) and len(set(names)) == len(names):
            return HeaderPlace(loaded.name, number, loaded.others)
    return HeaderPlace(loaded.name, 0, loaded.others)


def _load_sheet(path: Path, sheet: str | None) -> _Sheet:
    calamine = import_reader("python_calamine", extra="excel", needed_by=str(path))
    check_workbook(path)
    try:
        with calamine.load_workbook(path) as workbook:
            visible = [
                item.name
                for item in workbook.sheets_metadata
                if item.typ == calamine.SheetTypeEnum.WorkSheet and item.visible == calamine.SheetVisibleEnum.Visible
            ]
            names = workbook.sheet_names if sheet is not None else visible
            if sheet is not None and sheet not in names:
                raise DataError(f"{path}: has no sheet {sheet!r}; there are: {', '.join(names)} (data.source.sheet)")
            loaded = [workbook.get_sheet_by_name(name) for name in ([sheet] if sheet is not None else names)]
            filled = [item for item in loaded if item.start is not None]
            if not filled:
                place = "its sheets" if sheet is None else f"sheet {sheet!r}"
                raise DataError(f"{path}: has no cells in {place}; expected a table with names in its first row")
            first = filled[0]
            others = tuple(item.name for item in filled[1:])
            rows = list(first.iter_rows())
            _fill_merged(rows, first)
            return _Sheet(first.name, others, rows, first.start[1])
    except calamine.PasswordError as error:
        raise DataError(f"{path}: is protected by a password; save it without one") from error
    except (calamine.CalamineError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{path}: is no readable workbook: {reason}; save it as .xlsx") from error


def _fill_merged(rows: list[list[Any]], sheet: Any) -> None:
    left = sheet.start[1]
    for (top, first), (bottom, last) in sheet.merged_cell_ranges or ():
        for row in islice(rows, top, bottom + 1):
            for column in range(max(first - left, 0), min(last - left + 1, len(row))):
                row[column] = rows[top][max(first - left, 0)]


def _name_of(cell: Any) -> str:
    """Return a name; a number of the header, such as a year, is a float in the workbook."""
    return str(int(cell) if isinstance(cell, float) and cell.is_integer() else cell).strip()


def _without_empty(cells: Sequence[Any]) -> list[Any]:
    return [None if cell == "" else cell for cell in cells]


def _hint(rows: list[list[Any]], skip_lines: int) -> str:
    shown = ", ".join(quote_shortened(str(cell)) for cell in rows[skip_lines][:5])
    return f"The row holds {shown}; data.source.skip_lines is the number of rows above the names"


def _column_letters(position: int) -> str:
    letters = ""
    position += 1
    while position:
        position, rest = divmod(position - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
