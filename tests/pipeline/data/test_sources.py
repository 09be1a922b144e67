import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.config.groups.data_config import DataConfig
from pipeline.data.sources import SOURCES, content_hash, fetch_rows
from pipeline.errors import ConfigError, DataError, DependencyUnavailable
from pipeline.files import sha256_file
from tests.fixtures.toy_dataset import settings

QUERY = "SELECT note, city, day, number, outcome FROM people ORDER BY number"
ROWS = {
    "number": [1, 2, None],
    "city": ["Ulm", None, "Bonn"],
    "day": ["2026-01-01", "2026-01-02T03:04:05", None],
    "outcome": ["no", "yes", "no"],
}


def data_config(**source: Any) -> DataConfig:
    return DataConfig.model_validate_json(
        json.dumps(
            {
                "name": "people",
                "source": source,
                "target": {"column": "outcome", "classes": ["no", "yes"], "positive": "yes"},
                "columns": {
                    "number": {"dtype": "Int64", "nullable": True},
                    "city": {"dtype": "category", "nullable": True, "checks": {"isin": ["Bonn", "Ulm"]}},
                    "day": {"dtype": "datetime64[us]", "nullable": True, "role": "time"},
                },
                "split": {"kind": "random", "test_share": 0.5},
            }
        )
    )


def expected_frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "number": pd.array([1, 2, None], dtype="Int64"),
            "city": pd.array(["Ulm", None, "Bonn"], dtype="string"),
            "day": pd.to_datetime(["2026-01-01", "2026-01-02T03:04:05", None], format="ISO8601").astype(
                "datetime64[us]"
            ),
            "outcome": pd.array(["no", "yes", "no"], dtype="string"),
        }
    )


def external_path(root: Path, name: str) -> Path:
    path = root / "data/external" / name
    path.parent.mkdir(parents=True)
    return path


def datetime_array() -> pa.Array:
    return pa.array(pd.to_datetime(ROWS["day"], format="ISO8601"), pa.timestamp("ns"))


def test_a_csv_file_is_fetched_with_its_fingerprint(tmp_path: Path) -> None:
    path = external_path(tmp_path, "people.csv")
    pd.DataFrame(ROWS).iloc[:, ::-1].to_csv(path, index=False)
    sourced = fetch_rows(data_config(kind="csv", path="data/external/people.csv"), root=tmp_path)
    pd.testing.assert_frame_equal(sourced.frame, expected_frame())
    assert sourced.fingerprint["files"] == {"data/external/people.csv": sha256_file(path)}
    assert sourced.fingerprint["rows"] == 3


def test_delimiter_and_missing_values_follow_the_declaration(tmp_path: Path) -> None:
    external_path(tmp_path, "people.csv").write_text("number;city;day;outcome\n1;NA;-;no\n-;Ulm;2026-01-01;yes\n")
    source = {"kind": "csv", "path": "data/external/people.csv", "delimiter": ";", "null_values": ["NA", "-"]}
    frame = fetch_rows(data_config(**source), root=tmp_path).frame
    assert frame.isna().to_numpy().tolist() == [[False, True, True, False], [True, False, False, False]]


@pytest.mark.parametrize("as_dictionary", [False, True])
def test_parquet_file_is_fetched_whatever_its_integer_and_text_types(tmp_path: Path, as_dictionary: bool) -> None:
    cities = pa.array(ROWS["city"], pa.large_string())
    table = pa.table(
        {
            "outcome": pa.array(ROWS["outcome"]).dictionary_encode(),
            "day": datetime_array(),
            "city": cities.dictionary_encode() if as_dictionary else cities,
            "number": pa.array([1.0, 2.0, float("nan")]) if as_dictionary else pa.array(ROWS["number"], pa.int8()),
            "more": pa.array([1, 2, 3]),
        }
    )
    pq.write_table(table, external_path(tmp_path, "people.parquet"))
    sourced = fetch_rows(data_config(kind="parquet", path="data/external/people.parquet"), root=tmp_path)
    pd.testing.assert_frame_equal(sourced.frame, expected_frame())


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        (
            "number",
            pa.array(["1", "x", "3"]),
            "number: integer: int64 is declared, the source has string: row 2: found 'x'",
        ),
        ("number", pa.array([1.5, 2.0, 3.0]), "number: integer: .*truncated"),
        ("number", pa.array([True, False, True]), "number: integer: .* bool"),
        ("city", pa.array([1.5, 2.0, 3.0]), "city: category: string is declared, the source has double"),
        ("day", pa.array(["soon"] * 3), "day: datetime: .*found 'soon' and 2 other values"),
    ],
)
def test_a_parquet_column_of_another_type_is_refused(
    tmp_path: Path, column: str, values: pa.Array, message: str
) -> None:
    columns = {name: pa.array(values) for name, values in ROWS.items()} | {"day": datetime_array(), column: values}
    pq.write_table(pa.table(columns), external_path(tmp_path, "people.parquet"))
    with pytest.raises(DataError, match=f"people.parquet: {message}"):
        fetch_rows(data_config(kind="parquet", path="data/external/people.parquet"), root=tmp_path)


def test_all_columns_that_a_source_lacks_are_named_at_once(tmp_path: Path) -> None:
    pq.write_table(pa.table({"numbers": [1], "outcome": ["no"]}), external_path(tmp_path, "people.parquet"))
    with pytest.raises(DataError, match=r"(?s)number: missing.*did you mean 'numbers'.*city: missing.*day: missing"):
        fetch_rows(data_config(kind="parquet", path="data/external/people.parquet"), root=tmp_path)


def test_file_that_is_not_parquet_is_refused(tmp_path: Path) -> None:
    external_path(tmp_path, "people.parquet").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="is no readable Parquet file"):
        fetch_rows(data_config(kind="parquet", path="data/external/people.parquet"), root=tmp_path)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_missing_file_is_refused_with_the_import_command(tmp_path: Path, kind: str) -> None:
    with pytest.raises(DataError, match="mlops data add"):
        fetch_rows(data_config(kind=kind, path=f"data/external/people.{kind}"), root=tmp_path)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path.symlink_to("/proc/self/environ"), "is a link"),
        (lambda path: path.symlink_to("/etc/passwd"), "is a link"),
        (lambda path: path.symlink_to("neighbor"), "is a link"),
        (os.mkfifo, "is a pipe, socket or device"),
        (Path.mkdir, "is a folder"),
    ],
    ids=["environ", "passwd", "neighbor", "pipe", "folder"],
)
def test_what_is_no_regular_file_is_refused_unread(
    tmp_path: Path, kind: str, make: Callable[[Path], None], reason: str
) -> None:
    path = external_path(tmp_path, f"people.{kind}")
    (path.parent / "neighbor").write_text("SECRET\n", encoding="utf-8")
    make(path)
    with pytest.raises(DataError, match=rf"^data/external/people.{kind}: {reason}") as caught:
        fetch_rows(data_config(kind=kind, path=f"data/external/people.{kind}"), root=tmp_path)
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("folder", ["data", "data/external", "data/external/deep"])
def test_a_file_below_a_linked_folder_is_refused(tmp_path: Path, folder: str) -> None:
    external_path(tmp_path, "deep/people.csv").write_text("a\n", encoding="utf-8")
    (tmp_path / folder).rename(tmp_path / "elsewhere")
    (tmp_path / folder).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match=f"the folder {folder} is a link"):
        fetch_rows(data_config(kind="csv", path="data/external/deep/people.csv"), root=tmp_path)


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "people.db"
    with closing(sqlite3.connect(path)) as connection:
        frame = pd.DataFrame(ROWS).assign(note="x", number=[1, 2, 3])
        frame.drop(columns="day").to_sql("people", connection, index=False)
        connection.execute("ALTER TABLE people ADD COLUMN day TEXT")
    monkeypatch.setenv("PEOPLE_URL", f"sqlite:///{path}")
    return path


def test_the_rows_of_a_query_are_fetched(database: Path, tmp_path: Path) -> None:
    frame = fetch_rows(data_config(kind="sql", url_env="PEOPLE_URL", query=QUERY), root=tmp_path).frame
    assert frame["number"].tolist() == [1, 2, 3]
    assert frame["city"].tolist() == ["Ulm", pd.NA, "Bonn"]
    assert str(frame["day"].dtype) == "datetime64[us]"


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("DELETE FROM people", "expected a single SELECT"),
        ("SELECT 1; DROP TABLE people", "expected a single SELECT"),
        ("SELECT * FROM people", "has no ORDER BY"),
        ("SELECT number, number FROM people ORDER BY number", "two columns of the result have one name"),
    ],
)
def test_a_query_that_may_change_or_shuffle_rows_is_refused(database: Path, query: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        fetch_rows(data_config(kind="sql", url_env="PEOPLE_URL", query=query), root=Path())


def test_a_query_without_rows_is_refused(database: Path) -> None:
    query = QUERY.replace("ORDER", "WHERE number > 9 ORDER")
    with pytest.raises(DataError, match="has no rows"):
        fetch_rows(data_config(kind="sql", url_env="PEOPLE_URL", query=query), root=Path())


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (None, "PEOPLE_URL is not set"),
        ("nonsense", "not an SQLAlchemy address"),
        ("postgresql+nodriver://me:secret@host/db", "no driver"),  # pragma: allowlist secret
        ("sqlite:////no/such/folder/secret.db", "unable to open database file"),
    ],
)
def test_unavailable_database_is_reported_without_its_url(
    monkeypatch: pytest.MonkeyPatch, url: str | None, message: str
) -> None:
    monkeypatch.delenv("PEOPLE_URL", raising=False)
    if url is not None:
        monkeypatch.setenv("PEOPLE_URL", url)
    with pytest.raises(DependencyUnavailable, match=message) as caught:
        fetch_rows(data_config(kind="sql", url_env="PEOPLE_URL", query=QUERY), root=Path())
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("name", "shape"), [("breast_cancer", (569, 31)), ("wine", (178, 14)), ("iris", (150, 5))])
def test_bundled_datasets_match_their_declarations(name: str, shape: tuple[int, int]) -> None:
    config = settings(f"data={name}").data
    frame = fetch_rows(config, root=Path()).frame
    assert frame.shape == shape
    assert sorted(frame[config.target.column].unique()) == sorted(config.target.classes)
    assert frame.notna().all(axis=None)


def test_each_declared_kind_of_source_has_a_reader() -> None:
    assert sorted(SOURCES) == [
        *("arrow", "bundled", "csv", "duckdb", "excel", "json", "labeled", "parquet", "sql", "sqlite", "synthetic")
    ]


@pytest.mark.parametrize(
    "path", ["../x.csv", "data/x.csv", "/etc/passwd", "data/external/../x.csv", "data/external/.x"]
)
def test_file_outside_data_external_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        data_config(kind="csv", path=path)


def frame_of(**columns: Any) -> pd.DataFrame:
    dtypes = {"text": "string", "number": "Int64", "flag": "boolean", "share": "Float64", "at": "datetime64[us]"}
    return pd.DataFrame({name: pd.array(values, dtypes[name]) for name, values in columns.items()})


FRAME = {
    "text": ["ab", None, "", "c"],
    "number": [1, None, 0, 2],
    "flag": [True, None, False, True],
    "share": [0.5, None, 0.0, 1.0],
    "at": pd.to_datetime(["2026-01-01", None, "1970-01-01", "2026-01-02"]),
}


@pytest.mark.parametrize("start", [0, 1])
def test_the_hash_follows_the_values_and_not_how_they_are_stored(start: int) -> None:
    rows = {name: list(values)[start:] for name, values in FRAME.items()}
    sliced = frame_of(**FRAME).iloc[start:].reset_index(drop=True)
    stored = pa.Table.from_pandas(frame_of(**FRAME)).slice(start)
    halves = pa.concat_tables([stored.slice(0, 1), stored.slice(1)]).to_pandas().convert_dtypes(dtype_backend="pyarrow")
    halves = halves.astype(frame_of(**FRAME).dtypes.to_dict())
    assert content_hash(frame_of(**rows)) == content_hash(sliced) == content_hash(halves)


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("text", ["a", None, "b", "c"]),
        ("text", ["ab", "", "", "c"]),
        ("text", ["ab", None, "c", ""]),
        ("number", [1, 0, 0, 2]),
        ("flag", [True, False, False, True]),
        ("share", [0.5, 0.0, 0.0, 1.0]),
        ("at", pd.to_datetime(["2026-01-01", "1970-01-01", "1970-01-01", "2026-01-02"])),
    ],
)
def test_the_hash_differs_by_one_value(column: str, values: Any) -> None:
    assert content_hash(frame_of(**FRAME)) != content_hash(frame_of(**{**FRAME, column: values}))
