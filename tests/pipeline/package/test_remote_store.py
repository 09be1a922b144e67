"""A remote store holds a package completely or not at all, and shows no credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.errors import ConfigError, DependencyUnavailable
from pipeline.package.manifest import MANIFEST_FILE
from pipeline.package.remote_store import PACKAGES_URL_ENV, RemotePackageStore, remote_package_store

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


@pytest.fixture
def remote(tmp_path: Path) -> RemotePackageStore:
    (tmp_path / "remote").mkdir()
    return RemotePackageStore((tmp_path / "remote").as_uri())


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
    (tmp_path / "remote" / DIGEST / MANIFEST_FILE).unlink()
    assert not remote.fetch(DIGEST, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_without_an_address_there_is_no_remote_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PACKAGES_URL_ENV, raising=False)
    assert remote_package_store() is None


@pytest.mark.parametrize("address", ["packages", "http://host/packages", "/srv/packages"])
def test_an_unknown_scheme_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PACKAGES_URL_ENV, address)
    with pytest.raises(
        ConfigError, match=f"{PACKAGES_URL_ENV}: .* is not supported; expected one of file, s3, gs, abfss"
    ):
        remote_package_store()


def test_an_unavailable_store_is_reported(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        DependencyUnavailable, match=f"the remote package store is unavailable .* check {PACKAGES_URL_ENV}"
    ):
        RemotePackageStore((tmp_path / "file" / "below").as_uri()).put(folder, DIGEST)
