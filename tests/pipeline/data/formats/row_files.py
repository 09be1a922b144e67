"""Write the same rows in each format, as the programs of users do."""

import bz2
import datetime as dt
import gzip
import json
import lzma
import sqlite3
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq

Rows = list[dict[str, Any]]
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_EXCEL_EPOCH = dt.datetime.fromisoformat("1899-12-30")


def write_workbook(path: Path, sheets: dict[str, list[list[Any]]], merged: Sequence[str] = ()) -> Path:
    """Write sheets of cells; None is an empty cell, `merged` are blocks of the first sheet, such as A1:B1."""
    numbers = range(1, len(sheets) + 1)
    targets = "".join(
        f'<Relationship Id="s{i}" Type="{_RELATIONS}/worksheet" Target="worksheets/sheet{i}.xml"/>' for i in numbers
    )
    names = "".join(
        f'<sheet name="{name}" sheetId="{i}" r:id="s{i}"/>' for i, name in zip(numbers, sheets, strict=True)
    )
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"/>',
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="r" Type="{_RELATIONS}'
        '/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_RELATIONS}"><sheets>{names}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">{targets}<Relationship Id="st"'
        f' Type="{_RELATIONS}/styles" Target="styles.xml"/></Relationships>',
        "xl/styles.xml": f'<styleSheet xmlns="{_MAIN}"><cellXfs><xf numFmtId="0"/><xf numFmtId="22"/></cellXfs>'
        "</styleSheet>",
    }
    for number, rows in zip(numbers, sheets.values(), strict=True):
        blocks = "".join(f'<mergeCell ref="{block}"/>' for block in merged if number == 1)
        parts[f"xl/worksheets/sheet{number}.xml"] = (
            f'<worksheet xmlns="{_MAIN}"><sheetData>{"".join(map(_row, range(1, len(rows) + 1), rows))}</sheetData>'
            f"{f'<mergeCells>{blocks}</mergeCells>' if blocks else ''}</worksheet>"
        )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return path


def _row(number: int, cells: list[Any]) -> str:
    written = [_cell(f"{chr(65 + at)}{number}", cell) for at, cell in enumerate(cells) if cell is not None]
    return f'<row r="{number}">{"".join(written)}</row>'


def _cell(place: str, value: Any) -> str:
    if isinstance(value, bool):
        return f'<c r="{place}" t="b"><v>{int(value)}</v></c>'
    if isinstance(value, dt.datetime):
        return f'<c r="{place}" s="1"><v>{(value - _EXCEL_EPOCH) / dt.timedelta(days=1)!r}</v></c>'
    if isinstance(value, int | float):
        return f'<c r="{place}"><v>{value!r}</v></c>'
    if value.startswith("#"):
        return f'<c r="{place}" t="e"><v>{value}</v></c>'
    return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'


def _csv_text(rows: Rows) -> bytes:
    return pd.DataFrame(rows).convert_dtypes().to_csv(index=False, date_format="%Y-%m-%dT%H:%M:%S").encode()


def _json_values(rows: Rows) -> Rows:
    return [
        {key: value.isoformat() if isinstance(value, dt.datetime) else value for key, value in row.items()}
        for row in rows
    ]


def _json_lines(rows: Rows) -> bytes:
    return "".join(f"{json.dumps(row)}\n" for row in _json_values(rows)).encode()


def _write_zip(path: Path, content: bytes) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("__MACOSX/._rows", b"x")
        archive.writestr("folder/rows", content)


def _write_zstandard(path: Path, content: bytes) -> None:
    with pa.CompressedOutputStream(str(path), "zstd") as stream:
        stream.write(content)


def _write_sqlite(path: Path, rows: Rows) -> None:
    connection = sqlite3.connect(path)
    pd.DataFrame(_json_values(rows)).to_sql("people", connection, index=False)
    connection.close()


def _write_duckdb(path: Path, rows: Rows) -> None:
    connection = duckdb.connect(str(path))
    connection.register("given", pa.Table.from_pylist(rows))
    connection.execute("CREATE TABLE people AS SELECT * FROM given")
    connection.close()


def _write_stream(path: Path, rows: Rows) -> None:
    table = pa.Table.from_pylist(rows)
    with pa.ipc.new_stream(str(path), table.schema) as writer:
        writer.write_table(table)


def _cells(rows: Rows) -> list[list[Any]]:
    return [list(rows[0]), *(list(row.values()) for row in rows)]


WRITERS: dict[str, Callable[[Path, Rows], object]] = {
    "rows.csv": lambda path, rows: path.write_bytes(_csv_text(rows)),
    "rows.csv.gz": lambda path, rows: path.write_bytes(gzip.compress(_csv_text(rows))),
    "rows.csv.bz2": lambda path, rows: path.write_bytes(bz2.compress(_csv_text(rows))),
    "rows.csv.xz": lambda path, rows: path.write_bytes(lzma.compress(_csv_text(rows))),
    "rows.csv.zst": lambda path, rows: _write_zstandard(path, _csv_text(rows)),
    "rows.csv.zip": lambda path, rows: _write_zip(path, _csv_text(rows)),
    "rows.jsonl": lambda path, rows: path.write_bytes(_json_lines(rows)),
    "rows.ndjson.gz": lambda path, rows: path.write_bytes(gzip.compress(_json_lines(rows))),
    "rows.json": lambda path, rows: path.write_text(json.dumps(_json_values(rows), indent=1)),
    "rows.parquet": lambda path, rows: pq.write_table(pa.Table.from_pylist(rows), path),
    "rows.feather": lambda path, rows: pyarrow.feather.write_feather(pa.Table.from_pylist(rows), path),
    "rows.arrow": _write_stream,
    "rows.xlsx": lambda path, rows: write_workbook(path, {"Data": _cells(rows)}),
    "rows.sqlite": _write_sqlite,
    "rows.duckdb": _write_duckdb,
}


def write_rows(path: Path, rows: Rows) -> Path:
    """Write `rows` in the format of the name of `path`, which is one of `WRITERS`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    WRITERS[path.name](path, rows)
    return path
