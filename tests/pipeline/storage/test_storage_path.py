"""A file is read and written by its address alike, on this machine and in an object store."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest

from pipeline.errors import DataError, DependencyUnavailable, UsageError
from pipeline.storage import StoragePath, object_stores

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(params=["local", "s3"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> StoragePath:
    root = str(tmp_path) if request.param == "local" else request.getfixturevalue("s3_bucket")
    return StoragePath.parse(root) / "rows"


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("data/rows.csv", "data/rows.csv"),
        ("/data/rows/", "/data/rows"),
        ("file:///data/a%20b", "/data/a b"),
        ("s3://bucket/a/b/", "s3://bucket/a/b"),
        ("gs://bucket", "gs://bucket"),
        ("az://container/a", "az://container/a"),
    ],
)
def test_an_address_is_written_as_it_was_read(address: str, text: str) -> None:
    assert str(StoragePath.parse(address)) == text


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("ftp://host/rows.csv", r"ftp://: is not supported; expected a local path, file://, s3://"),
        (
            "s3://key:secret@bucket/rows",  # pragma: allowlist secret
            r"^s3://\.\.\.: has credentials; set them in the environment",
        ),  # pragma: allowlist secret
        ("s3://bucket/rows?AWSAccessKeyId=a&Signature=secret", r"^s3://\.\.\.: has credentials"),
        ("gs://bucket/rows?GoogleAccessId=a&Signature=secret", r"^gs://\.\.\.: has credentials"),
        ("s3://bucket/rows?X-Amz-Security-Token=secret", r"^s3://\.\.\.: has credentials"),
        ("s3:///rows", r"s3://\.\.\.: has no bucket"),
    ],
)
def test_a_wrong_address_is_refused_without_its_secret(address: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        StoragePath.parse(address)
    assert "secret" not in str(caught.value).replace("credentials", "")


def test_a_written_file_is_read_listed_and_removed(folder: StoragePath) -> None:
    path = folder / "a.txt"
    path.write_bytes(b"rows")
    assert (path.read_bytes(), path.n_bytes(), path.exists(), folder.is_folder()) == (b"rows", 4, True, True)
    assert [(entry.path, entry.n_bytes) for entry in folder.list_files()] == [(path, 4)]
    path.remove()
    assert (path.exists(), folder.list_files()) == (False, [])


def test_a_file_that_is_absent_is_not_found(folder: StoragePath) -> None:
    path = folder / "none.txt"
    for read in (path.read_bytes, path.version, path.n_bytes):
        with pytest.raises(FileNotFoundError):
            read()


def test_a_failed_block_writes_nothing(folder: StoragePath) -> None:
    path = folder / "a.txt"
    with pytest.raises(RuntimeError, match="half way"), path.writing() as target:
        target.write_bytes(b"half")
        raise RuntimeError("half way")
    assert not path.exists()


def test_one_of_many_creators_writes_the_file(folder: StoragePath) -> None:
    path = folder / "manifest.json"
    with ThreadPoolExecutor(8) as pool:
        wrote = list(pool.map(lambda number: path.create(b"%d" % number), range(8)))
    assert sum(wrote) == 1
    assert path.read_bytes() == b"%d" % wrote.index(True)


def test_the_version_follows_the_content(folder: StoragePath) -> None:
    path = folder / "a.txt"
    versions = []
    for content in (b"one", b"two", b"one"):
        path.write_bytes(content)
        versions.append(path.version())
    assert versions[0] == versions[2] != versions[1]


def test_a_local_copy_has_the_content(folder: StoragePath) -> None:
    path = folder / "a.csv"
    path.write_bytes(b"x\n1\n")
    with path.local_copy() as copy:
        assert (copy.name, copy.read_bytes()) == ("a.csv", b"x\n1\n")


@pytest.mark.parametrize("message", ["AWS Error NETWORK_CONNECTION during GetObject", "Couldn't deserialize thrift"])
def test_a_failed_read_is_one_of_the_store_if_the_store_reported_it(s3_bucket: str, message: str) -> None:
    path = StoragePath.parse(s3_bucket) / "a.parquet"
    is_store = message.startswith("AWS")
    raises = pytest.raises(DependencyUnavailable, match="NETWORK_CONNECTION") if is_store else nullcontext()
    with raises:
        path.require_available(OSError(message))


def test_a_failed_read_is_one_of_a_store_that_is_gone(s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    object_stores.file_system.cache_clear()
    with pytest.raises(DependencyUnavailable, match="the store is unavailable"):
        (StoragePath.parse(s3_bucket) / "a.parquet").require_available(OSError("Couldn't deserialize thrift"))
    object_stores.file_system.cache_clear()


def test_a_name_that_is_no_utf_8_is_named(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"a\xff.csv")).touch()
    with pytest.raises(DataError, match=r"has the name b'.*a\\xff\.csv', which is no UTF-8"):
        StoragePath.parse(tmp_path).list_files()


def test_a_local_file_that_cannot_be_created_is_an_error_of_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DependencyUnavailable, match="check its path and its rights"):
        StoragePath.parse(tmp_path / "file/rows.csv").create(b"")


def test_an_empty_address_is_refused() -> None:
    with pytest.raises(UsageError, match="an address is empty"):
        StoragePath.parse("")
