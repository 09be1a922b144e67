"""A declared dialect is read exactly, by every reader."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.config.groups.source_config import CsvDialect
from pipeline.data.csv_reader import iter_csv_tables, read_csv, read_csv_as_text, text_formats
from pipeline.data.scoring_file import read_scoring_file
from pipeline.serving.http.tabular import read_tabular_body
from tests.pipeline.data.csv_dialects import DIALECTS, declared

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pipeline.data.csv_dialects import DialectSample


def expected_rows(sample: DialectSample) -> list[dict[str, object]]:
    def value(name: str, cell: str) -> object:
        read = {"city": str, "spent": float}.get(name, int)
        return None if cell == "" else read(cell)

    return [{n: value(n, c) for n, c in zip(sample.table[0], row, strict=True)} for row in sample.table[1:]]


@pytest.mark.parametrize("name", DIALECTS)
def test_every_reader_reads_a_declared_dialect_exactly(tmp_path: Path, name: str) -> None:
    sample = DIALECTS[name]
    path, schema = tmp_path / "rows.csv", declared(sample)
    path.write_bytes(sample.content)
    dialect = CsvDialect.from_settings(schema.dialect)
    formats = text_formats(schema, with_target=False)
    expected = expected_rows(sample)
    frame = read_csv(path, schema, dialect, with_target=False)
    assert frame.astype(object).where(frame.notna(), None).to_dict("records") == expected
    tables = list(iter_csv_tables(path, formats, dialect, private_notes={}))
    assert [row for table in tables for row in table.to_pylist()] == expected
    scored = read_scoring_file(path, schema, dialect).frame
    assert scored is not None
    assert scored["spent"].tolist() == [row["spent"] for row in expected]
    body = read_tabular_body("text/csv", sample.content, schema, max_rows=10)
    assert [dict(zip(body.columns, row, strict=True)) for row in zip(*body.columns.values(), strict=True)] == expected


@pytest.mark.parametrize("name", [name for name in DIALECTS if DIALECTS[name].settings])
def test_another_dialect_is_refused_or_gives_other_cells(tmp_path: Path, name: str) -> None:
    sample = DIALECTS[name]
    path = tmp_path / "rows.csv"
    path.write_bytes(sample.content)
    table, problems = read_csv_as_text(path, CsvDialect())
    plain = [list(row.values()) for row in table.to_pylist()]
    assert problems or plain != [[cell or None for cell in row] for row in sample.table[1:]]
