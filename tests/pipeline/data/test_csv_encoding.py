from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from pipeline.config.groups.source_config import CsvDialect
from pipeline.data.csv_encoding import EncodedStream, body_encoding, detect_utf16
from pipeline.data.csv_reader import parse_csv
from pipeline.serving.http.tabular import read_tabular_body
from tests.pipeline.data.csv_dialects import DIALECTS, declared

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.config.groups.data_config import Encoding


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "cp1250"])
def test_utf8_under_a_declared_single_byte_encoding_is_refused_in_a_file_and_read_in_a_body(
    tmp_path: Path, encoding: str
) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes("city,visits,spent\nKöln,1,2\n".encode())
    schema = declared(DIALECTS["cp1252"])
    problems = parse_csv(path, schema, CsvDialect(encoding=encoding), with_target=False).problems
    assert [problem.remedy for problem in problems] == ['data.source.encoding: "utf-8" reads it']
    assert read_tabular_body("text/csv", path.read_bytes(), schema, max_rows=5).columns["city"] == ["Köln"]


def test_a_byte_without_a_meaning_is_reported_in_its_line(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes("city,visits,spent\nK\xf6ln,1,2\nK\x81ln,1,2\n".encode("latin-1"))
    parsed = parse_csv(path, declared(DIALECTS["quotes"]), CsvDialect(encoding="cp1252"), with_target=False)
    assert [(problem.line, problem.rule) for problem in parsed.problems] == [(3, "encoding")]
    assert parsed.frame["city"].tolist() == ["Köln"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "cp1252", "latin-1"])
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_parts_of_any_size_join_to_the_same_text(encoding: Encoding, size: int) -> None:
    text = "naïve,Größe\n1,\u20ac\n" if encoding != "latin-1" else "naïve,Größe\n"
    stream = EncodedStream(io.BytesIO(text.encode(encoding)), encoding)
    parts = list(iter(lambda: stream.read(size), b""))
    assert b"".join(parts).decode() == text


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_the_byte_order_of_latin_letters_is_found(encoding: Encoding) -> None:
    assert detect_utf16("some,text\n1,2\n".encode(encoding)) == encoding
    assert detect_utf16(b"some,text\n1,2\n") is None
    assert body_encoding("Größe".encode(encoding), encoding) == encoding
