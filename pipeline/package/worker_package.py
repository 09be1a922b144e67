"""Load a package in a worker of a job in parts, on a machine with or without the project."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import DependencyUnavailable
from pipeline.package.package_store import PackageStore
from pipeline.package.remote_store import PACKAGES_URL_ENV, remote_package_store
from pipeline.project import paths

if TYPE_CHECKING:
    from pipeline.package.loader import Package

__all__ = ["load_worker_package"]


@lru_cache(maxsize=1)
def load_worker_package(root: Path, digest: str) -> Package:
    """Return a package of the project at `root`, or of MLOPS_PACKAGES_URL; it is loaded once in a process.

    Raises
    ------
    DependencyUnavailable
        When this machine has neither, or the remote store is unavailable.
    IntegrityError
        When the package is damaged, or the remote store lacks it.
    """
    store = PackageStore(root / paths.PACKAGES)
    if store.path(digest).exists():
        return store.load(digest)
    if remote_package_store() is None:
        raise DependencyUnavailable(
            f"package {digest[:12]}: is not in {store.folder}, and {PACKAGES_URL_ENV} is not set; a worker needs the"
            f" project folder, or {PACKAGES_URL_ENV} with the address of the package store"
        )
    # Not into the project, whose folder may be mounted read-only.
    folder = Path(tempfile.mkdtemp(prefix="mlops-packages-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return PackageStore(folder).load(digest)
