"""The store holds each package under its digest, and refuses any other content."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from pipeline.errors import IntegrityError
from pipeline.package.package_store import PackageStore
from pipeline.package.remote_store import PACKAGES_URL_ENV
from tests.fixtures.small_packages import write_small_package

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("package") / "candidate"
    write_small_package(folder, "personality", "model=naive_bayes", n_rows=400)
    return folder


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PackageStore:
    monkeypatch.delenv(PACKAGES_URL_ENV, raising=False)
    return PackageStore(tmp_path / "packages")


def test_an_added_package_lies_under_its_digest(store: PackageStore, source: Path) -> None:
    package = store.add(source)
    assert store.path(package.digest).is_dir()
    assert store.load(package.digest).digest == package.digest


def test_adding_a_package_again_changes_nothing(store: PackageStore, source: Path) -> None:
    digest = store.add(source).digest
    before = {path: path.stat().st_mtime_ns for path in store.path(digest).rglob("*")}
    store.add(source)
    assert {path: path.stat().st_mtime_ns for path in store.path(digest).rglob("*")} == before


@pytest.mark.parametrize("digest", ["", "..", "../" + "a" * 61, "a" * 63, "A" * 64, "a" * 64 + "\n"])
def test_only_a_digest_names_a_folder(store: PackageStore, digest: str) -> None:
    with pytest.raises(IntegrityError, match="not the digest of a package"):
        store.path(digest)


def test_a_package_under_a_foreign_digest_is_refused(store: PackageStore, source: Path) -> None:
    digest = store.add(source).digest
    foreign = "0" * 64
    shutil.copytree(store.path(digest), store.path(foreign))
    with pytest.raises(IntegrityError, match=f"contains package {digest}"):
        store.load(foreign)
    with pytest.raises(IntegrityError, match=f"contains package {digest}"):
        store.load_rule_baseline(foreign)


def test_a_damaged_source_is_not_added(store: PackageStore, source: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(source, damaged)
    (damaged / "card.md").write_text("changed", encoding="utf-8")
    with pytest.raises(IntegrityError, match=r"card\.md"):
        store.add(damaged)
    assert not store.folder.exists() or not list(store.folder.iterdir())


def test_a_package_is_fetched_from_the_remote_store(
    store: PackageStore, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PACKAGES_URL_ENV, (tmp_path / "remote").as_uri())
    (tmp_path / "remote").mkdir()
    digest = store.add(source).digest
    replica = PackageStore(tmp_path / "replica")
    assert replica.load(digest).digest == digest
    assert replica.path(digest).is_dir()
