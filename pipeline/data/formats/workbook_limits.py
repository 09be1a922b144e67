"""Refuse a workbook that cannot be opened within bounds, before its reader takes the memory and aborts the process.

The reader keeps each cell of the rectangle around all filled cells, and a copy of its text.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections import Counter
from itertools import pairwise
from typing import IO, TYPE_CHECKING

from pipeline.data.compressed_stream import max_expanded_bytes
from pipeline.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["check_workbook"]

_MAX_CELLS = 50_000_000
_MAX_TEXT_BYTES = 2 << 30
_READ_BYTES = 4 << 20
_OLD_OFFICE_START = b"\xd0\xcf\x11\xe0"
_SHEET = re.compile(r"xl/worksheets/[^/]+\.xml")
_STRINGS = "xl/sharedstrings.xml"
_ITEM_END = re.compile(rb"</(?:\w+:)?si>|<(?:\w+:)?si/>")
_CELL_COLUMN = re.compile(rb"""\sr=["']([A-Za-z]{1,3})[0-9]""")
_CELL_ROW = re.compile(rb"""\sr=["'][A-Za-z]{1,3}([0-9]{1,7})["']""")
_STRING_CELL = re.compile(rb"""\st=["']s["'][^>]*>\s*<(?:\w+:)?v>\s*([0-9]+)""")
# Longer than what the patterns find, so that a border between two reads hides nothing.
_OVERLAP_BYTES = 256


def check_workbook(path: Path) -> None:
    """Raise if a workbook is damaged, protected, or too large once it is open.

    Raises
    ------
    DataError
        Naming the file and the remedy.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    with path.open("rb") as stream:
        is_old = stream.read(len(_OLD_OFFICE_START)) == _OLD_OFFICE_START
    if path.suffix.lower() == ".xls":
        return  # at most 65,536 rows of 256 cells
    if is_old:
        raise DataError(f"{path}: is protected by a password, or an .xls file under another name; save it as .xlsx")
    try:
        with zipfile.ZipFile(path) as archive:
            _check_archive(archive, path)
    except (zipfile.BadZipFile, OSError, EOFError, RuntimeError, NotImplementedError, zlib.error) as error:
        raise DataError(f"{path}: is no readable workbook: {error}; save it again") from error


def _check_archive(archive: zipfile.ZipFile, path: Path) -> None:
    n_free = max_expanded_bytes(path.stat().st_size)
    lengths: list[int] = []
    for member in sorted(archive.infolist(), key=lambda member: member.filename.lower() != _STRINGS):
        name = member.filename.lower().lstrip("/")
        with archive.open(member) as stream:
            blocks = _bounded(stream, n_free, path)
            if name == _STRINGS:
                lengths = _string_lengths(blocks)
            elif _SHEET.fullmatch(name):
                _check_sheet(blocks, lengths, path)
            else:
                for _ in blocks:
                    pass
        n_free -= member.file_size


def _bounded(stream: IO[bytes], n_free: int, path: Path) -> Iterator[bytes]:
    while content := stream.read(_READ_BYTES):
        n_free -= len(content)
        if n_free < 0:
            raise DataError(f"{path}: grows to more than 200 times its size when it is opened; expected a workbook")
        yield content


def _string_lengths(blocks: Iterator[bytes]) -> list[int]:
    """Return the bytes of each shared text, with its markup."""
    ends: list[int] = [0]
    start, tail = 0, b""
    for block in blocks:
        content = tail + block
        ends += [end for match in _ITEM_END.finditer(content) if (end := start + match.end()) > ends[-1]]
        tail = content[-_OVERLAP_BYTES:]
        start += len(content) - len(tail)
    return [after - before for before, after in pairwise(ends)]


def _check_sheet(blocks: Iterator[bytes], lengths: list[int], path: Path) -> None:
    longest = max(lengths, default=0)
    columns: set[bytes] = set()
    last_row, first_row = 0, 1 << 20
    counts: Counter[bytes] = Counter()
    tail = b""
    for block in blocks:
        content = tail + block
        columns |= {column.upper() for column in set(_CELL_COLUMN.findall(content))}
        rows = [int(row) for row in set(_CELL_ROW.findall(content))]
        last_row, first_row = max([last_row, *rows]), min([first_row, *rows])
        if len(content) * longest > _MAX_TEXT_BYTES:
            counts.update(_STRING_CELL.findall(content))
        tail = content[-_OVERLAP_BYTES:]
    positions = [_column_number(column) for column in columns]
    n_cells = (last_row - first_row + 1) * (max(positions) - min(positions) + 1) if positions else 0
    if n_cells > _MAX_CELLS:
        raise DataError(
            f"{path}: a sheet spans {n_cells:,} cells, the last in row {last_row:,}; at most {_MAX_CELLS:,} are read."
            " Delete the empty rows and columns below and beside the table, or save the sheet as CSV"
        )
    n_bytes = sum(count * lengths[int(index)] for index, count in counts.items() if int(index) < len(lengths))
    if n_bytes > _MAX_TEXT_BYTES:
        raise DataError(f"{path}: a sheet holds {n_bytes:,} bytes of text; save it as CSV")


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = 26 * number + letter - ord("A") + 1
    return number
