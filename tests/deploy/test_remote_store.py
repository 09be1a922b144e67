"""Several machines share packages: each can load what another has added."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from pipeline.errors import ConfigError, DependencyUnavailable, IntegrityError
from pipeline.package import PackageStore

if TYPE_CHECKING:
    from pathlib import Path

STORE_FOLDER = "packages"


# One worker packs the models that these tests share.
pytestmark = pytest.mark.xdist_group("deploy")


@pytest.fixture
def package(two_packages: tuple[Path, Path]) -> Path:
    return two_packages[0]


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that all machines see."""
    monkeypatch.setenv("MLOPS_PACKAGES_URL", (tmp_path / STORE_FOLDER).as_uri())
    return tmp_path / STORE_FOLDER


def test_a_package_added_by_a_machine_loads_on_another(package: Path, shared: Path, tmp_path: Path) -> None:
    added = PackageStore(tmp_path / "first").add(package)
    shutil.rmtree(tmp_path / "first")
    assert PackageStore(tmp_path / "second").load(added.digest).digest == added.digest


def test_packages_are_cached_after_the_first_download(package: Path, shared: Path, tmp_path: Path) -> None:
    digest = PackageStore(tmp_path / "first").add(package).digest
    second = PackageStore(tmp_path / "second")
    second.load(digest)
    shutil.rmtree(shared)
    assert second.load(digest).digest == digest


def test_an_incomplete_package_is_not_listed(package: Path, shared: Path, tmp_path: Path) -> None:
    digest = PackageStore(tmp_path / "first").add(package).digest
    (shared / digest / "manifest.json").unlink()
    with pytest.raises(IntegrityError, match=digest):
        PackageStore(tmp_path / "second").load(digest)


def test_a_package_that_was_changed_in_the_store_is_refused(package: Path, shared: Path, tmp_path: Path) -> None:
    digest = PackageStore(tmp_path / "first").add(package).digest
    with (shared / digest / "golden.json").open("a", encoding="utf-8") as file:
        file.write(" ")
    with pytest.raises(IntegrityError, match=r"golden\.json"):
        PackageStore(tmp_path / "second").load(digest)


def test_an_unreachable_store_is_named(s3_bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("MLOPS_PACKAGES_URL", f"{s3_bucket}/models")
    with pytest.raises(DependencyUnavailable, match=f"{s3_bucket}/models.*NETWORK_CONNECTION"):
        PackageStore(tmp_path / "first").load("0" * 64)


def test_a_package_is_shared_by_a_bucket(
    package: Path, s3_bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_PACKAGES_URL", f"{s3_bucket}/models")
    added = PackageStore(tmp_path / "first").add(package)
    assert PackageStore(tmp_path / "second").load(added.digest).digest == added.digest


@pytest.mark.parametrize("address", ["ftp://somewhere/else", "no address"])
def test_an_address_that_is_not_a_store_is_refused(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_PACKAGES_URL", address)
    with pytest.raises(ConfigError, match=r"MLOPS_PACKAGES_URL: .*expected .*s3://"):
        PackageStore(tmp_path).load("0" * 64)
