"""The same rows in every format are the same rows: in the graph, in the draft and in a file to score."""

import re
from datetime import datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from pipeline.config.groups.data_config import DataConfig
from pipeline.config.groups.source_config import CsvDialect, ExcelSource
from pipeline.data.formats.typed_draft import draft_typed_files
from pipeline.data.scoring_file import read_scoring_file
from pipeline.data.sources import fetch_rows
from pipeline.errors import DataError
from pipeline.schema import Schema
from pipeline.serving.files.file_reader import count_file_rows, read_file_tables
from tests.pipeline.data.formats.row_files import WRITERS, Rows, write_rows, write_workbook

ROWS: Rows = [
    {
        "number": 1,
        "share": 0.5,
        "city": "Ulm",
        "day": datetime.fromisoformat("2026-01-01"),
        "member": True,
        "outcome": "no",
    },
    {
        "number": 2,
        "share": None,
        "city": None,
        "day": datetime.fromisoformat("2026-01-02T03:04:05"),
        "member": False,
        "outcome": "yes",
    },
    {"number": None, "share": 4.0, "city": "Köln, Süd", "day": None, "member": None, "outcome": "no"},
]
TYPES = {"number": "Int64", "share": "Float64", "city": "string", "day": "datetime64[us]", "member": "boolean"}
FEATURES = ["number", "share", "member"]


def people(kind: str, path: str | list[str]) -> DataConfig:
    columns = {name: {"dtype": dtype, "nullable": True} for name, dtype in TYPES.items()}
    for name in ("city", "day"):
        columns[name]["role"] = "ignore"
    return DataConfig.model_validate(
        {
            "name": "people",
            "source": {"kind": kind, "path": path},
            "target": {"column": "outcome", "classes": ("no", "yes"), "positive": "yes"},
            "columns": columns,
            "split": {"kind": "random", "test_share": 0.5},
        }
    )


def expected_frame(rows: Rows = ROWS) -> pd.DataFrame:
    table = pa.Table.from_pylist(rows)
    return pd.DataFrame(
        {
            name: pd.array(table.column(name).to_pylist(), dtype)
            for name, dtype in {**TYPES, "outcome": "string"}.items()
        }
    )


def kind_of(path: Path) -> str:
    draft = draft_typed_files([path])
    return "csv" if draft is None else draft.settings["kind"]


@pytest.mark.parametrize("name", WRITERS)
def test_the_graph_reads_the_same_rows(tmp_path: Path, name: str) -> None:
    path = write_rows(tmp_path / "data/external" / name, ROWS)
    frame = fetch_rows(people(kind_of(path), f"data/external/{name}"), root=tmp_path).frame
    pd.testing.assert_frame_equal(frame, expected_frame())


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_to_score_has_the_same_rows(tmp_path: Path, name: str) -> None:
    schema = Schema.from_config(people("csv", "data/external/rows.csv"))
    path = write_rows(tmp_path / name, ROWS)
    whole = read_scoring_file(path, schema, CsvDialect()).frame
    in_batches = pa.concat_tables(read_file_tables(path, schema, ())).to_pylist()
    assert whole is not None
    pd.testing.assert_frame_equal(whole[FEATURES], expected_frame()[FEATURES])
    assert in_batches == [{name: row[name] for name in FEATURES} for row in ROWS]
    assert count_file_rows(path, schema) in (None, len(ROWS))


def test_a_file_to_score_is_read_with_the_keys_of_the_declared_source(tmp_path: Path) -> None:
    source = {"kind": "excel", "path": "data/external/rows.xlsx", "sheet": "Data", "skip_lines": 1}
    config = people("excel", "data/external/rows.xlsx")
    declared = config.model_copy(update={"source": ExcelSource.model_validate(source)})
    schema = Schema.from_dict(Schema.from_config(declared).as_dict())
    cells = [["People"], list(ROWS[0]), *(list(row.values()) for row in ROWS)]
    path = write_workbook(tmp_path / "new.xlsx", {"Notes": [["x"]], "Data": cells})
    whole = read_scoring_file(path, schema, CsvDialect()).frame
    assert whole is not None
    assert whole["number"].tolist() == [1, 2, pd.NA]
    assert pa.concat_tables(read_file_tables(path, schema, ())).column("number").to_pylist() == [1, 2, None]


@pytest.mark.parametrize("name", [name for name in WRITERS if "csv" not in name])
def test_a_draft_has_the_same_texts(tmp_path: Path, name: str) -> None:
    draft = draft_typed_files([write_rows(tmp_path / name, ROWS)])
    assert draft is not None
    rows = draft.texts.to_pylist()
    assert [row["number"] for row in rows] == ["1", "2", None]
    assert [row["city"] for row in rows] == ["Ulm", None, "Köln, Süd"]
    assert [row["day"] and row["day"][:19] for row in rows] == ["2026-01-01T00:00:00", "2026-01-02T03:04:05", None]
    assert [row["member"] for row in rows] in (["true", "false", None], ["1", "0", None])


@pytest.mark.parametrize("name", ["rows.csv.gz", "rows.jsonl", "rows.parquet", "rows.xlsx", "rows.duckdb"])
def test_several_files_follow_each_other_in_the_declared_order(tmp_path: Path, name: str) -> None:
    suffix = name.removeprefix("rows")
    for part, rows in (("b", ROWS), ("a", [dict(reversed(row.items())) for row in ROWS])):
        path = write_rows(tmp_path / "data/external" / name, rows)
        path.rename(path.with_name(f"{part}{suffix}"))
    kind = kind_of(tmp_path / f"data/external/a{suffix}")
    listed = fetch_rows(people(kind, [f"data/external/{part}{suffix}" for part in "ba"]), root=tmp_path)
    matched = fetch_rows(people(kind, f"data/external/*{suffix}"), root=tmp_path)
    expected = pd.concat([expected_frame(), expected_frame()], ignore_index=True)
    pd.testing.assert_frame_equal(listed.frame, expected)
    pd.testing.assert_frame_equal(matched.frame, expected)
    assert [*listed.fingerprint["files"]] == [f"data/external/{part}{suffix}" for part in "ba"]
    assert [*matched.fingerprint["files"]] == [f"data/external/{part}{suffix}" for part in "ab"]


DAMAGE = {
    "empty": lambda _content: b"",
    "cut": lambda content: content[: len(content) * 3 // 5],
    "text": lambda _content: b"what is this?\n",
    "binary": lambda _content: bytes(range(256)) * 20,
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", [name for name in WRITERS if name != "rows.csv"])
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, name: str, damage: str) -> None:
    path = write_rows(tmp_path / "data/external" / name, ROWS)
    kind = kind_of(path)
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    with pytest.raises(DataError, match=re.escape(name)):
        fetch_rows(people(kind, f"data/external/{name}"), root=tmp_path)


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.parquet", "rows.xlsx", "rows.sqlite"])
def test_files_with_other_columns_are_refused_by_name(tmp_path: Path, name: str) -> None:
    first = write_rows(tmp_path / "first" / name, ROWS)
    second = write_rows(tmp_path / "second" / name, [{**row, "more": 1} | {"city": "x"} for row in ROWS])
    third = write_rows(tmp_path / "third" / name, [{k: v for k, v in row.items() if k != "city"} for row in ROWS])
    with pytest.raises(DataError, match=f"second.{name}: has also more; expected the columns of .*first"):
        draft_typed_files([first, second])
    with pytest.raises(DataError, match=f"third.{name}: lacks city"):
        draft_typed_files([first, third])
