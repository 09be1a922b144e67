"""Read a CSV file strictly as declared, or report the places where it differs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import IO, TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyarrow import csv

from pipeline.data.cell_parsers import ARROW_TYPES, to_frame
from pipeline.data.compressed_stream import open_rows_stream
from pipeline.data.csv_advice import advise_cell, advise_header, advise_number, name_setting
from pipeline.data.csv_lines import LineReader
from pipeline.data.csv_records import MAX_RECORD_BYTES
from pipeline.data.input_problems import MAX_INPUT_PROBLEMS, InputProblem, InputProblems, quote_shortened, to_data_error
from pipeline.data.number_signs import parse_cells
from pipeline.errors import DataError, did_you_mean
from pipeline.schema import TextFormat
from pipeline.schema.text_format import NUMBER_PATTERNS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from concurrent.futures import Executor
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.config.groups.source_config import CsvDialect
    from pipeline.data.record_validator import LineBlock
    from pipeline.schema import Schema

__all__ = [
    "ParsedFile",
    "ParsedStream",
    "count_csv_rows",
    "iter_csv_tables",
    "open_binary",
    "parse_csv",
    "parse_csv_stream",
    "read_column_names",
    "read_csv",
    "read_csv_as_text",
    "text_formats",
]

# Columns are parsed in parallel: Arrow and numpy release the interpreter's lock.
_N_THREADS = 4


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """The valid part of a file as `frame`, the line of each row, and the problems of the file.

    Invalid cells are missing in `frame`; invalid lines are not in it.
    """

    frame: pd.DataFrame
    line_numbers: NDArray[np.int64]
    problems: list[InputProblem]


@dataclass(frozen=True, slots=True)
class ParsedStream:
    """The valid part of a stream as `table`, the line of each row and of the header, and the problems."""

    table: pa.Table
    line_numbers: NDArray[np.int64]
    problems: list[InputProblem]
    header_line: int


def read_csv(path: Path, schema: Schema, dialect: CsvDialect, *, with_target: bool = True) -> pd.DataFrame:
    """Return the rows of a file, typed, in the declared order of columns.

    The file may have its columns in another order, and integers may be written as 4.0; no other deviation is
    accepted. Declared checks of values (ranges, categories, missing) do not run here.

    Parameters
    ----------
    path : Path
        A file of rows.
    schema : Schema
        The declared columns.
    dialect : CsvDialect
        How the file is written.
    with_target : bool
        Whether the file holds the target.

    Returns
    -------
    DataFrame, shape (n_rows, n_columns)
        Int64, Float64, boolean, string and datetime64[us]; declared columns, then the target.

    Raises
    ------
    DataError
        With one line ``file:line:column: rule: value`` for each problem, at most 100.
    """
    parsed = parse_csv(path, schema, dialect, with_target=with_target)
    if parsed.problems:
        raise to_data_error(parsed.problems)
    return parsed.frame


def parse_csv(path: Path, schema: Schema, dialect: CsvDialect, *, with_target: bool = True) -> ParsedFile:
    """Return the valid part of a file and its problems (at most 100), instead of raising them.

    Raises
    ------
    DataError
        When there is no such file.
    """
    problems = InputProblems(str(path), private_notes=schema.private_notes)
    with open_binary(path) as stream:
        formats = text_formats(schema, with_target=with_target)
        table, numbers, listed = _parse_csv_blocks(stream, formats, dialect, problems)
    return ParsedFile(to_frame(table), numbers, listed)


def text_formats(schema: Schema, *, with_target: bool = True) -> dict[str, TextFormat]:
    """Return how the texts of each declared column are read, in order, the target (category) last."""
    formats = {column.name: column.text_format for column in schema.columns}
    return {**formats, schema.target.column: TextFormat("category")} if with_target else formats


def read_csv_as_text(path: Path, dialect: CsvDialect) -> tuple[pa.Table, list[InputProblem]]:
    """Return every column of an undeclared file as texts, and the problems of the file."""
    problems = InputProblems(str(path))
    with open_binary(path) as stream:
        lines = LineReader(stream, dialect, problems)
        header = _check_header_names(lines.read_header(), problems)
        blocks = [_block_as_text(block, header, dialect) for block in lines.read_blocks(len(header))] if header else []
    if header and not any(table.num_rows for table in blocks):
        _report_missing_rows(problems)
    empty = pa.table({name: pa.array([], pa.string()) for name in header})
    return pa.concat_tables([empty, *blocks]), problems.sorted_by_line()


def parse_csv_stream(
    stream: IO[bytes],
    formats: Mapping[str, TextFormat],
    dialect: CsvDialect,
    *,
    where: str,
    limit: int = MAX_INPUT_PROBLEMS,
) -> ParsedStream:
    """Return the valid part of a CSV stream, such as the body of a request, and its problems up to a limit.

    Columns have the formats of `formats`, in its order; `where` is the name of the stream in problems.
    """
    problems = InputProblems(where, limit)
    return ParsedStream(*_parse_csv_blocks(stream, formats, dialect, problems), problems.header_line)


def read_column_names(stream: IO[bytes], dialect: CsvDialect) -> list[str]:
    """Return the names of the columns of a CSV stream; none where its header is invalid, which the reader reports."""
    problems = InputProblems("")
    return _check_header_names(LineReader(stream, dialect, problems).read_header(), problems)


def _parse_csv_blocks(
    stream: IO[bytes], formats: Mapping[str, TextFormat], dialect: CsvDialect, problems: InputProblems
) -> tuple[pa.Table, NDArray[np.int64], list[InputProblem]]:
    tables = [_empty_table(formats)]
    numbers = [np.empty(0, np.int64)]
    with ThreadPoolExecutor(_N_THREADS) as pool:
        lines = LineReader(stream, dialect, problems)
        header = _match_header(lines, formats, dialect, problems)
        for block in lines.read_blocks(len(header)) if header else ():
            if block.line_numbers.size:
                tables.append(
                    _parse_block(
                        _block_as_text(block, header, dialect), block.line_numbers, formats, dialect, problems, pool
                    )
                )
                numbers.append(block.line_numbers)
    table = pa.concat_tables(tables)
    if header and not table.num_rows and not problems.items:
        _report_missing_rows(problems)
    return table, np.concatenate(numbers), problems.sorted_by_line()


def iter_csv_tables(
    path: Path, formats: Mapping[str, TextFormat], dialect: CsvDialect, *, private_notes: Mapping[str, str]
) -> Iterator[pa.Table]:
    """Yield a file block by block as typed tables with the columns of `formats`; other columns are left out.

    Memory is bounded by one block (8 MB of text). `private_notes` replace values in errors.

    Raises
    ------
    DataError
        When the file lacks a column, or at the first block with an invalid line or cell.
    """
    problems = InputProblems(str(path), private_notes=private_notes)
    with open_binary(path) as stream, ThreadPoolExecutor(_N_THREADS) as pool:
        lines = LineReader(stream, dialect, problems)
        header = _check_header_names(lines.read_header(), problems)
        for name in [name for name in formats if header and name not in header]:
            problems.add(1, name, "header", "missing", f"not in the file, which has: {_join_names(header)}")
        for block in lines.read_blocks(len(header)) if header and not problems.items else ():
            table = _parse_block(
                _block_as_text(block, header, dialect), block.line_numbers, formats, dialect, problems, pool
            )
            if problems.items:
                break
            yield table
    if problems.items:
        raise to_data_error(problems.sorted_by_line())


def count_csv_rows(path: Path, dialect: CsvDialect) -> int:
    """Return the number of rows of a file, whose cells are not parsed.

    Raises
    ------
    DataError
        When the file cannot be read, or has an invalid line.
    """
    problems = InputProblems(str(path))
    with open_binary(path) as stream:
        lines = LineReader(stream, dialect, problems)
        header = _check_header_names(lines.read_header(), problems)
        n_rows = sum(len(block.line_numbers) for block in lines.read_blocks(len(header))) if header else 0
    if problems.items:
        raise to_data_error(problems.sorted_by_line())
    return n_rows


def open_binary(path: Path) -> IO[bytes]:
    """Open a file of rows.

    Raises
    ------
    DataError
        When it cannot be read.
    """
    try:
        return open_rows_stream(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error


def _empty_table(formats: Mapping[str, TextFormat]) -> pa.Table:
    return pa.table({name: pa.array([], ARROW_TYPES[form.kind]) for name, form in formats.items()})


def _report_missing_rows(problems: InputProblems) -> None:
    if not problems.items:
        problems.add(2, 1, "rows", "none", "the file has a header only")


def _check_header_names(header: list[str], problems: InputProblems) -> list[str]:
    """Return the header when its names are present and unique, else an empty list."""
    line = problems.header_line
    first_numbers: dict[str, int] = {}
    rename = f"{name_setting('names', ['first', 'second'])} with skip_lines: {line} names the columns"
    for number, name in enumerate(header, start=1):
        if problems.is_full:
            break
        if not name:
            remedy = f"{name_setting('index_column', 'index')} names the first column" if number == 1 else rename
            if not any(header[number - 1 :]):
                remedy = f"{name_setting('trailing_delimiter', value=True)} leaves empty fields at the end of lines out"
            problems.add(line, number, "header", "''", "a column needs a name", remedy=remedy)
        elif first_numbers.setdefault(name, number) != number:
            hint = f"duplicates the name of field {first_numbers[name]}"
            problems.add(line, number, "header", quote_shortened(name), hint, remedy=rename)
    return [] if problems.items else header


def _match_header(
    lines: LineReader, formats: Mapping[str, TextFormat], dialect: CsvDialect, problems: InputProblems
) -> list[str]:
    """Return the header when it names exactly the declared columns, in any order, else an empty list."""
    header = _check_header_names(lines.read_header(), problems)
    if not header:
        return []
    line = problems.header_line
    remedy = advise_header(list(formats), lines.first_lines(), dialect, n_above=line)
    if len(header) == 1 and header[0] not in formats:
        delimiter = next((mark for mark in (";", "\t", "|", ",") if mark in header[0]), None)
        hint = f"declared are {len(formats)}: {_join_names(formats)}"
        if delimiter is not None and remedy is None:
            remedy = f"{name_setting('delimiter', delimiter)} splits it"
        problems.add(line, 1, "delimiter", f"one field, {quote_shortened(header[0])}", hint, remedy=remedy)
        return []
    for number, name in enumerate(header, start=1):
        if name not in formats and name != dialect.index_column and not problems.is_full:
            hint = f"not declared{did_you_mean(name, formats)}; declare it (role: ignore to leave it out) or drop it"
            problems.add(line, number, "header", quote_shortened(name), hint, remedy=remedy)
    for name in formats:
        if name not in header:
            hint = f"declared, not in the file, which has: {_join_names(header)}"
            problems.add(line, name, "header", "missing", hint, remedy=remedy)
    return [] if problems.items else header


def _join_names(names: Sequence[str] | Mapping[str, TextFormat]) -> str:
    shortened = [str(name) for name in names][:20]
    return ", ".join(shortened) + (", ..." if len(names) > 20 else "")


def _block_as_text(block: LineBlock, header: list[str], dialect: CsvDialect) -> pa.Table:
    if not block.line_numbers.size:
        return pa.table({name: pa.array([], pa.string()) for name in header})
    return csv.read_csv(
        pa.BufferReader(block.content),
        read_options=csv.ReadOptions(column_names=header, block_size=2 * MAX_RECORD_BYTES),
        parse_options=csv.ParseOptions(
            delimiter=dialect.delimiter, ignore_empty_lines=False, newlines_in_values=dialect.multiline
        ),
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(header, pa.string()),
            null_values=list(dialect.null_values),
            strings_can_be_null=True,
            check_utf8=False,
        ),
    ).combine_chunks()


def _parse_block(
    texts: pa.Table,
    numbers: NDArray[np.int64],
    formats: Mapping[str, TextFormat],
    dialect: CsvDialect,
    problems: InputProblems,
    pool: Executor,
) -> pa.Table:
    cells = {name: texts.column(name).chunk(0) for name in formats}
    columns: dict[str, pa.Array] = {}
    invalid: list[tuple[int, int, str]] = []
    index_of = {name: index for index, name in enumerate(texts.column_names)}
    results = pool.map(partial(parse_cells, dialect=dialect), cells.values(), formats.values())
    for name, (values, positions) in zip(formats, results, strict=True):
        columns[name] = values
        invalid += [(int(position), index_of[name], name) for position in positions[: problems.limit]]
    advice: dict[str, dict[int, str]] = {}
    for position, _, name in _take_until_full(sorted(invalid), problems):
        text_format, value = formats[name], cells[name][position].as_py()
        is_private = name in problems.private_notes
        if name not in advice and text_format.kind in NUMBER_PATTERNS:
            advice[name] = advise_number(cells[name], text_format, dialect, shows_values=not is_private)
        hint, remedy = f"expected {text_format.expected}", advice.get(name, {}).get(position)
        if remedy is None and not is_private:
            remedy = advise_cell(name, value, text_format, dialect=dialect)
        problems.add(int(numbers[position]), name, text_format.kind, quote_shortened(value), hint, remedy=remedy)
    return pa.table(columns)


def _take_until_full(cells: list[tuple[int, int, str]], problems: InputProblems) -> Iterator[tuple[int, int, str]]:
    for cell in cells:
        if problems.is_full:
            return
        yield cell
