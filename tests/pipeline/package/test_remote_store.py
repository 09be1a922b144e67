"""A remote store holds a package completely or not at all, and shows no credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.errors import ConfigError, DependencyUnavailable
from pipeline.package.manifest import MANIFEST_FILE
from pipeline.package.remote_store import PACKAGES_URL_ENV, RemotePackageStore, remote_package_store
from pipeline.storage import StoragePath

if TYPE_CHECKING:
    from pathlib import Path

DIGEST = "a" * 64


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    package = tmp_path / "package"
    (package / "deep").mkdir(parents=True)
    (package / MANIFEST_FILE).write_text("{}", encoding="utf-8")
    (package / "deep" / "file").write_bytes(b"\x00\x01")
    return package


@pytest.fixture(params=["local", "s3"])
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> RemotePackageStore:
    address = str(tmp_path / "remote") if request.param == "local" else f"{request.getfixturevalue('s3_bucket')}/models"
    return RemotePackageStore(StoragePath.parse(address))


def test_a_package_is_fetched_as_it_was_put(remote: RemotePackageStore, folder: Path, tmp_path: Path) -> None:
    remote.put(folder, DIGEST)
    assert remote.fetch(DIGEST, tmp_path / "copy")
    assert (tmp_path / "copy" / "deep" / "file").read_bytes() == b"\x00\x01"
    assert (tmp_path / "copy" / MANIFEST_FILE).read_text(encoding="utf-8") == "{}"


def test_an_existing_package_is_not_overwritten(remote: RemotePackageStore, folder: Path, tmp_path: Path) -> None:
    remote.put(folder, DIGEST)
    (folder / "deep" / "file").write_bytes(b"changed")
    remote.put(folder, DIGEST)
    remote.fetch(DIGEST, tmp_path / "copy")
    assert (tmp_path / "copy" / "deep" / "file").read_bytes() == b"\x00\x01"


def test_a_package_without_its_manifest_does_not_exist(
    remote: RemotePackageStore, folder: Path, tmp_path: Path
) -> None:
    remote.put(folder, DIGEST)
    (remote.base / DIGEST / MANIFEST_FILE).remove()
    assert not remote.fetch(DIGEST, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_without_an_address_there_is_no_remote_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PACKAGES_URL_ENV, raising=False)
    assert remote_package_store() is None


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("packages", "no scheme; expected s3://BUCKET/PREFIX"),
        ("/srv/packages", "no scheme"),
        ("http://host/packages", r"http://: is not supported; expected .* s3://, gs://, az://"),
        ("abfss://container@account/packages", "abfss://: is not supported"),
        (
            "s3://name:hidden@bucket/packages",  # pragma: allowlist secret
            "has credentials; set them in the environment",
        ),  # pragma: allowlist secret
    ],
)
def test_a_wrong_address_is_refused(address: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PACKAGES_URL_ENV, address)
    with pytest.raises(ConfigError, match=f"{PACKAGES_URL_ENV}: .*{message}") as caught:
        remote_package_store()
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("kind", ["local", "s3"])
def test_an_unavailable_store_is_reported(
    kind: str, tmp_path: Path, folder: Path, request: pytest.FixtureRequest
) -> None:
    (tmp_path / "file").touch()
    address = f"{tmp_path}/file/below" if kind == "local" else f"{request.getfixturevalue('s3_bucket')}-absent/below"
    store = RemotePackageStore(StoragePath.parse(address))
    with pytest.raises(DependencyUnavailable, match=f"{address}.*the remote package store, {PACKAGES_URL_ENV}"):
        store.put(folder, DIGEST)
