"""Read a file of an undeclared source for its draft: texts, the kinds that the format declares, and the keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config.file_formats import file_format
from pipeline.data.coercion import is_text_type
from pipeline.data.formats.excel_file import HeaderPlace, find_header
from pipeline.data.formats.python_columns import join_columns
from pipeline.data.formats.readers import open_typed_file
from pipeline.data.formats.typed_file import read_all
from pipeline.data.kind_recognition import recognize_column
from pipeline.errors import DataError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from pipeline.data.kind_recognition import RecognizedColumn

__all__ = ["TypedDraft", "check_same_names", "draft_typed_files"]


@dataclass(frozen=True, slots=True)
class TypedDraft:
    """The rows of files with a format of their own, and what their draft declares.

    Attributes
    ----------
    texts : Arrow table of strings
        Each value as text; null where it is missing.
    known_kinds : mapping
        What each column is by the type that the format declares; None where its texts decide.
    settings : mapping
        Keys of `data.source` besides `path`.
    set_aside : mapping
        What each column holds that cannot be read, by its name.
    notes : tuple of str
        What was assumed, one sentence each.
    """

    texts: pa.Table
    known_kinds: Mapping[str, RecognizedColumn | None]
    settings: Mapping[str, Any]
    set_aside: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def draft_typed_files(paths: Sequence[Path], *, table: str | None = None) -> TypedDraft | None:
    """Return the rows of files of one format as texts; None where they are CSV text.

    Parameters
    ----------
    paths : sequence of Path
        Files with the same columns, in any order.
    table : str, optional
        The table of a database file, by default the only one; or the sheet of a workbook, by default the first one.

    Raises
    ------
    DataError
        When a file cannot be read, has no rows, or has other columns than the first.
    UsageError
        When `table` is given for files of another format.
    """
    found = file_format(paths[0].name)
    if table is not None and (found is None or found.kind not in ("sqlite", "duckdb", "excel")):
        raise UsageError(f"--table {table}: {paths[0].name} has no tables or sheets; leave the option out")
    if found is None or found.kind == "csv":
        return None
    key = "sheet" if found.kind == "excel" else "table"
    settings: dict[str, Any] = {"kind": found.kind} | ({key: table} if table is not None else {})
    notes: list[str] = []
    if found.kind == "excel":
        place = find_header(paths[0], sheet=table)
        settings |= {"sheet": place.sheet} if place.other_sheets else {}
        settings |= {"skip_lines": place.skip_lines} if place.skip_lines else {}
        notes += _excel_notes(place)
    files = [open_typed_file(path, settings) for path in paths]
    first = files[0]
    assert first is not None  # noqa: S101 - the format is not CSV
    tables: list[pa.Table] = []
    set_aside: dict[str, str] = {}
    for path, file in zip(paths, files, strict=True):
        assert file is not None  # noqa: S101 - the format is not CSV
        set_aside |= file.set_aside
        check_same_names(path, file.names, paths[0], first.names)
        tables.append(read_all(file, first.names))
    rows = pa.table({name: join_columns([table.column(name) for table in tables]) for name in first.names})
    if not rows.num_rows:
        raise DataError(f"{paths[0]}: has no rows; expected at least one")
    text_names = frozenset.intersection(*(file.text_names for file in files if file is not None))
    texts, known = _to_texts(rows, cell_names={*rows.column_names} - text_names if first.holds_cells else set())
    return TypedDraft(texts, known, settings, set_aside, tuple(notes))


def _excel_notes(place: HeaderPlace) -> list[str]:
    notes = []
    if place.other_sheets:
        others = ", ".join(map(repr, place.other_sheets))
        notes.append(f"the sheet {place.sheet!r} is read, not {others} (data.source.sheet; here --table SHEET)")
    if place.skip_lines:
        notes.append(f"the names are in row {place.skip_lines + 1}, below a title (data.source.skip_lines)")
    return notes


def check_same_names(path: Path, names: Sequence[str], first_path: Path, first_names: Sequence[str]) -> None:
    """Raise if a file has other columns than the first one, whose order does not matter.

    Raises
    ------
    DataError
        Naming both files and the columns.
    """
    missing = [name for name in first_names if name not in names]
    more = [name for name in names if name not in first_names]
    if missing or more:
        differences = [f"lacks {', '.join(missing[:5])}"] if missing else []
        differences += [f"has also {', '.join(more[:5])}"] if more else []
        raise DataError(f"{path}: {' and '.join(differences)}; expected the columns of {first_path}")


def _to_texts(rows: pa.Table, *, cell_names: AbstractSet[str]) -> tuple[pa.Table, dict[str, RecognizedColumn | None]]:
    """Return the texts of all columns, and what a column is where its type decides: not in texts of `cell_names`."""
    texts: dict[str, pa.ChunkedArray] = {}
    known: dict[str, RecognizedColumn | None] = {}
    for name, column in zip(rows.column_names, rows.columns, strict=True):
        is_cells = name in cell_names and is_text_type(column.type)
        known[name] = None if is_cells else recognize_column(name, column.combine_chunks())
        texts[name] = _column_texts(column)
    return pa.table(texts), known


def _column_texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return values as texts, moments in UTC."""
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return pc.strftime(column.cast(pa.timestamp("us")), "%Y-%m-%dT%H:%M:%S")
    return column.cast(pa.string())
