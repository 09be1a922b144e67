import sqlite3
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipeline.data.formats.database_files import open_duckdb, open_sqlite
from pipeline.data.formats.typed_file import read_all
from pipeline.errors import DataError

OPENERS = {"sqlite": open_sqlite, "duckdb": open_duckdb}


def create(path: Path, *statements: str) -> Path:
    connection: Any = sqlite3.connect(path) if path.suffix == ".sqlite" else duckdb.connect(str(path))
    for statement in statements:
        connection.execute(statement)
    if path.suffix == ".sqlite":
        connection.commit()
    connection.close()
    return path


@pytest.mark.parametrize("kind", OPENERS)
def test_a_table_or_view_is_read_by_its_name(tmp_path: Path, kind: str) -> None:
    path = create(
        tmp_path / f"ä b.{kind}",
        'CREATE TABLE "my ""tab" (a INTEGER, "b c" TEXT)',
        'INSERT INTO "my ""tab" VALUES (2, \'x\'), (1, NULL)',
        'CREATE VIEW small AS SELECT a FROM "my ""tab" WHERE a < 2',
    )
    file = OPENERS[kind](path, table='my "tab')
    assert read_all(file, file.names).to_pydict() == {"a": [2, 1], "b c": ["x", None]}
    assert read_all(OPENERS[kind](path, table="small"), ["a"]).to_pydict() == {"a": [1]}
    with pytest.raises(DataError, match=r'there are: my "tab, small.*--table NAME'):
        OPENERS[kind](path)
    with pytest.raises(DataError, match=r"has no table 'smal'.*did you mean 'small'"):
        OPENERS[kind](path, table="smal")


@pytest.mark.parametrize("kind", OPENERS)
def test_a_file_without_tables_is_refused(tmp_path: Path, kind: str) -> None:
    path = create(tmp_path / f"empty.{kind}", "CREATE TABLE t (a INTEGER)", "DROP TABLE t")
    with pytest.raises(DataError, match="has no tables"):
        OPENERS[kind](path)


@pytest.mark.parametrize("kind", OPENERS)
def test_nothing_is_written_beside_the_file(tmp_path: Path, kind: str) -> None:
    statements = ["PRAGMA journal_mode = wal"] if kind == "sqlite" else []
    path = create(tmp_path / f"rows.{kind}", *statements, "CREATE TABLE t (a INTEGER)", "INSERT INTO t VALUES (1)")
    before = path.read_bytes()
    assert read_all(OPENERS[kind](path), ["a"]).to_pydict() == {"a": [1]}
    assert ([item.name for item in tmp_path.iterdir()], path.read_bytes()) == ([path.name], before)


def test_a_column_of_sqlite_may_mix_kinds(tmp_path: Path) -> None:
    path = create(
        tmp_path / "rows.sqlite",
        "CREATE TABLE t (a, b, c)",
        "INSERT INTO t VALUES (1, 1, 1), (2.5, 'x', x'00'), (NULL, 2.0, NULL)",
    )
    file = open_sqlite(path)
    assert read_all(file, file.names).to_pydict() == {"a": [1.0, 2.5, None], "b": ["1", "x", "2"]}
    assert dict(file.set_aside) == {"c": "bytes"}


def test_a_view_of_sqlite_calls_no_function_that_leaves_the_file(tmp_path: Path) -> None:
    path = create(tmp_path / "rows.sqlite", "CREATE VIEW v AS SELECT load_extension('/tmp/x.so') AS a")
    with pytest.raises(DataError, match="is no readable SQLite file"):
        open_sqlite(path)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_csv('{folder}/secret.csv')",
        "SELECT * FROM read_text('{folder}/secret.csv')",
        "SELECT * FROM glob('{folder}/*')",
    ],
)
def test_a_view_of_duckdb_reads_no_other_file(tmp_path: Path, query: str) -> None:
    (tmp_path / "secret.csv").write_text("a\nSECRET\n")
    path = create(tmp_path / "rows.duckdb", f"CREATE VIEW v AS {query.format(folder=tmp_path)}")
    with pytest.raises(DataError, match="is no readable DuckDB file") as caught:
        read_all(open_duckdb(path), ["a"])
    assert "SECRET" not in str(caught.value)


def test_nested_columns_of_duckdb_are_set_aside(tmp_path: Path) -> None:
    path = create(tmp_path / "rows.duckdb", "CREATE TABLE t AS SELECT 1 a, [1] b, {'x': 1} c, INTERVAL 1 DAY d")
    assert list(open_duckdb(path).set_aside) == ["b", "c", "d"]


def test_a_file_of_sqlite_that_ends_within_a_page_is_refused(tmp_path: Path) -> None:
    path = create(tmp_path / "rows.sqlite", "CREATE TABLE t (a)", "INSERT INTO t VALUES (1)")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"ends early: it has 8,092 of 8,192 bytes"):
        open_sqlite(path)
