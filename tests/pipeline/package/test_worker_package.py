"""A worker loads the package from the project, else from the remote store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.errors import DependencyUnavailable
from pipeline.package import PackageStore, load_package
from pipeline.package.remote_store import PACKAGES_URL_ENV
from pipeline.package.worker_package import load_worker_package
from pipeline.project import paths

if TYPE_CHECKING:
    from pathlib import Path


def test_a_machine_without_the_project_fetches_the_package(
    packages: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = load_package(packages["linear"]).digest
    with pytest.raises(DependencyUnavailable, match=r"is not in .*packages, and MLOPS_PACKAGES_URL is not set"):
        load_worker_package(tmp_path / "worker", digest)
    monkeypatch.setenv(PACKAGES_URL_ENV, f"file://{tmp_path}/remote")
    PackageStore(tmp_path / "driver" / paths.PACKAGES).add(packages["linear"])
    assert load_worker_package(tmp_path / "worker", digest).digest == digest
    assert not (tmp_path / "worker").exists()


def test_a_package_of_the_project_is_loaded_once(packages: dict[str, Path], tmp_path: Path) -> None:
    digest = PackageStore(tmp_path / paths.PACKAGES).add(packages["linear"]).digest
    assert load_worker_package(tmp_path, digest) is load_worker_package(tmp_path, digest)
