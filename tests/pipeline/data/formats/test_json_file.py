from pathlib import Path
from typing import Any

import pytest

from pipeline.data.formats import json_file
from pipeline.data.formats.json_file import open_json
from pipeline.data.formats.typed_file import TypedFile, read_all
from pipeline.errors import DataError


def open_text(tmp_path: Path, text: str | bytes) -> TypedFile:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return open_json(path)


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ('{"a":1,"b":"x"}\n\n{"b":"y"}\r\n', {"a": [1, None], "b": ["x", "y"]}),
        ('\ufeff[{"a":1},\n {"a":2.5}]\n', {"a": [1.0, 2.5]}),
        ('{"a":1}\n{"a":"x"}\n{"a":true}', {"a": ["1", "x", "true"]}),
        ('{"a":NaN}\n{"a":2}', {"a": [None, 2]}),
        ('{"a":9007199254740993}\n{"a":0.5}', {"a": ["9007199254740993", "0.5"]}),
        ('{"a":123456789012345678901}\n{"a":1}', {"a": ["123456789012345678901", "1"]}),
        ('{"a":4.0}', {"a": [4]}),
    ],
)
def test_values_keep_what_they_are(tmp_path: Path, text: str, columns: dict[str, list[Any]]) -> None:
    file = open_text(tmp_path, text)
    assert read_all(file, file.names).to_pydict() == columns
    assert file.n_rows == len(next(iter(columns.values())))


def test_nested_values_anywhere_set_their_column_aside(tmp_path: Path) -> None:
    file = open_text(tmp_path, '{"a":1,"b":2,"c":[]}\n{"a":1,"b":{"x":1}}\n')
    assert (file.names, set(file.set_aside)) == (("a",), {"b", "c"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a":1}\n{"a":}\n', r'rows\.jsonl:2: .\{"a":\}.*one JSON object for each row'),
        ('{"a":1}\n[1]\n', r"rows\.jsonl:2: found .\[1\]"),
        (b'{"a":1}\n{"a":"\xff"}', r"rows\.jsonl:2: .*byte 7: not UTF-8"),
        ("a,b\n1,2\n", r"rows\.jsonl:1: .a,b."),
        ('[{"a":1},', "object 2: .*the array is not closed"),
        ('[{"a":1} {"a":2}]', "expected a comma"),
        ('[{"a":1}] x', "more text after the array"),
        ("[[1]]", r"object 1: found .\[1\]"),
        (b'[{"a":"\xff"}]', "not UTF-8"),
        ("[" * 100_000, "object 1"),
        ('{"a":' + "[" * 100_000, r"rows\.jsonl:1"),
    ],
)
def test_what_is_no_row_is_refused_with_its_place(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        open_text(tmp_path, text)


@pytest.mark.parametrize("as_array", [False, True])
def test_blocks_end_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_array: bool) -> None:
    monkeypatch.setattr(json_file, "_BLOCK_BYTES", 7)
    lines = [f'{{"a":{number},"b":"ü{number}"}}' for number in range(30)]
    file = open_text(tmp_path, f"[{', '.join(lines)}]" if as_array else "\n".join(lines))
    assert read_all(file, file.names).to_pydict() == {"a": list(range(30)), "b": [f"ü{n}" for n in range(30)]}


@pytest.mark.parametrize("start", ["", "["])
def test_a_value_without_end_is_refused_within_bounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: str
) -> None:
    monkeypatch.setattr(json_file, "_BLOCK_BYTES", 1 << 10)
    monkeypatch.setattr(json_file, "_MAX_VALUE_BYTES", 1 << 12)
    with pytest.raises(DataError, match=r"more than 4,096 bytes|Unterminated"):
        open_text(tmp_path, start + '{"a":"' + "x" * 100_000)


@pytest.mark.parametrize("text", ['{"data": [{"a": 1}]}', '{"a": {"0": 1}, "b": {"0": "x"}}'])
def test_rows_inside_an_object_are_refused_with_the_form_that_is_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rows.json"
    path.write_text(text)
    with pytest.raises(DataError, match=r"has only nested values .*expected one JSON object for each row.*records"):
        open_json(path)
