"""Rows are read from an object store, and the graph knows which objects they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from pipeline.config.groups.source_config import CsvSource
from pipeline.data import sources
from pipeline.data.source_files import check_source_files
from pipeline.data.source_objects import check_graph_lists, list_objects, object_version, open_source_file
from pipeline.data.sources import fetch_rows
from pipeline.errors import ConfigError, DataError
from pipeline.storage import StoragePath
from tests.pipeline.data.test_sources import data_config

if TYPE_CHECKING:
    from pathlib import Path

ROWS = b"number,city,day,outcome\n1,Ulm,2026-01-01,no\n2,Bonn,2026-01-02,yes\n"


@pytest.fixture
def rows(s3_bucket: str) -> str:
    """Three files of rows and one that is hidden."""
    for name in ("a.csv", "b 1+2 ä.csv", "b.csv", ".c.csv"):
        (StoragePath.parse(s3_bucket) / "in" / name).write_bytes(ROWS)
    return f"{s3_bucket}/in"


@pytest.mark.parametrize("name", ["a.csv", "b 1+2 ä.csv", ["a.csv", "b.csv"], "*.csv"])
def test_objects_are_read_with_their_etags(rows: str, tmp_path: Path, name: str | list[str]) -> None:
    names = [name] if isinstance(name, str) else name
    path = f"{rows}/{name}" if isinstance(name, str) else [f"{rows}/{each}" for each in names]
    fetched = fetch_rows(data_config(kind="csv", path=path), root=tmp_path)
    objects = [address for each in names for address in list_objects(f"{rows}/{each}")]
    assert len(fetched.frame) == 2 * len(objects)
    assert fetched.fingerprint["files"] == {address: object_version(address) for address in objects}
    assert fetched.fingerprint["files"][objects[0]].startswith("etag:")


@pytest.mark.parametrize("name", ["none.csv", "none-*.csv"])
def test_an_absent_object_is_named(rows: str, tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"s3://bucket-\w+/in/none.*: no such object"):
        fetch_rows(data_config(kind="csv", path=f"{rows}/{name}"), root=tmp_path)


def test_an_object_that_vanishes_is_named(rows: str, tmp_path: Path) -> None:
    for read in (object_version, lambda address: open_source_file(address, root=tmp_path).__enter__()):
        with pytest.raises(DataError, match=r"none\.csv: no such"):
            read(f"{rows}/none.csv")


def test_an_object_that_changes_during_the_read_is_refused(
    rows: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = sources.read_source_files

    def read_then_replace(*arguments: Any, **options: Any) -> Any:
        frame = read(*arguments, **options)
        StoragePath.parse(f"{rows}/a.csv").write_bytes(ROWS.replace(b"Ulm", b"Bonn"))
        return frame

    monkeypatch.setattr(sources, "read_source_files", read_then_replace)
    with pytest.raises(DataError, match=r"a\.csv: changed while it was read"):
        fetch_rows(data_config(kind="csv", path=f"{rows}/a.csv"), root=tmp_path)


def write_graph(root: Path, *deps: str) -> None:
    lines = "".join(f"      - {dep}\n" for dep in ("data/external", *deps))
    (root / "dvc.yaml").write_text(f"stages:\n  ingest:\n    deps:\n{lines}", encoding="utf-8")


@pytest.mark.parametrize(
    ("address", "dep"),
    [
        ("s3://rows/in/a.csv", "s3://rows/in/a.csv"),
        ("s3://rows/in/a.csv", "s3://rows/in/"),
        ("s3://rows/in/*.csv", "s3://rows/in"),
        ("az://rows/in/a.csv", "azure://rows/in/a.csv"),
        ("gs://rows/in/a.csv", "gcs://rows/in"),
    ],
)
def test_a_listed_object_is_accepted(tmp_path: Path, address: str, dep: str) -> None:
    write_graph(tmp_path, dep)
    check_source_files(CsvSource(kind="csv", path=address), root=tmp_path)


@pytest.mark.parametrize(
    ("address", "line"),
    [
        ("s3://rows/in/a.csv", "s3://rows/in/a.csv"),
        ("s3://rows/in/*.csv", "s3://rows/in"),
        ("az://rows/in/a.csv", "azure://rows/in/a.csv"),
    ],
)
def test_an_object_that_the_graph_does_not_list_is_refused_with_the_line(
    tmp_path: Path, address: str, line: str
) -> None:
    write_graph(tmp_path, "s3://rows/in/a.csv.gz", "s3://rows/i")
    with pytest.raises(ConfigError, match=rf"dvc\.yaml does not list it(.|\n)*\n      - {line}$"):
        check_graph_lists([address], root=tmp_path)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("s3://key:hidden@rows/a.csv", "has credentials"),  # pragma: allowlist secret
        ("az://rows/a.csv?sig=hidden", "has credentials"),
        ("s3://rows", "is no file in an object store"),
        ("s3://rows/*/a.csv", "is no file in an object store"),
        ("ftp://host/a.csv", "is not supported"),
        ("file:///etc/passwd", "is no file in an object store"),
    ],
)
def test_a_wrong_address_is_refused(path: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        CsvSource(kind="csv", path=path)
