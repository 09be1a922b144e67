"""Choose the dialect of CSV rows to predict: the declared one, or that of rows which a program wrote."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from pipeline.config.groups.source_config import CsvDialect
from pipeline.data.csv_encoding import body_encoding
from pipeline.data.csv_reader import open_binary, read_column_names

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

__all__ = ["choose_file_dialect", "choose_row_dialect"]

_SAMPLE_BYTES = 1 << 20


def choose_row_dialect(start: bytes, declared: CsvDialect, names: Collection[str]) -> CsvDialect:
    """Return the dialect in which the header of CSV text has declared names.

    The declared dialect is that of the file with the train rows. Single rows of it often come without its title lines,
    or in the dialect of a program: UTF-8 with commas and decimal points.

    Parameters
    ----------
    start : bytes
        The text or its start, with the header and a row.
    declared : CsvDialect
    names : collection of str
        Names that a row may have.

    Returns
    -------
    CsvDialect
        The first whose header fits: without title lines, as declared, of a program. The declared one if none fits, so
        that its reader reports the problem.
    """
    if declared == CsvDialect():
        return declared
    encoded = declared.model_copy(update={"encoding": _find_encoding(start, declared)})
    without_titles = encoded.model_copy(update={"skip_lines": 0, "names": ()})
    of_program = CsvDialect(null_values=declared.null_values)
    for dialect in (without_titles, encoded, of_program):
        header = read_column_names(io.BytesIO(start), dialect)
        if header and all(name in names or name == dialect.index_column for name in header):
            return dialect
    return encoded


def choose_file_dialect(path: Path, declared: CsvDialect, names: Collection[str]) -> CsvDialect:
    """Return `choose_row_dialect` of a file.

    Raises
    ------
    DataError
        When the file cannot be read.
    """
    with open_binary(path) as stream:
        return choose_row_dialect(stream.read(_SAMPLE_BYTES), declared, names)


def _find_encoding(start: bytes, declared: CsvDialect) -> str:
    # The start of a file may be ASCII where later lines are not.
    is_undecided = start.isascii() and not declared.encoding.startswith("utf-16")
    return declared.encoding if is_undecided else body_encoding(start, declared.encoding)
