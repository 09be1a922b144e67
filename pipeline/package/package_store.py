"""Store registered packages by digest, so that servers need neither the graph nor MLflow."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline import files
from pipeline.errors import IntegrityError
from pipeline.package.loader import load_package, load_rule_baseline
from pipeline.package.remote_store import remote_package_store

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.package.loader import Package

__all__ = ["PackageStore"]

# Another process on this machine may be fetching the same package.
_FETCH_TIMEOUT_S = 60.0
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class PackageStore:
    """A folder of packages, each in a subfolder named by its digest and never changed.

    With MLOPS_PACKAGES_URL the folder is a local cache of the remote store.
    """

    folder: Path

    def path(self, digest: str) -> Path:
        """Return the folder of the package with this digest, whether or not it exists.

        Raises
        ------
        IntegrityError
            When `digest` is not a digest, which could lead out of the folder.
        """
        if not _DIGEST.fullmatch(digest):
            raise IntegrityError(
                f"{digest!r}: not the digest of a package; the state database was edited outside of mlops"
            )
        return self.folder / digest

    def add(self, source: Path) -> Package:
        """Copy a package into the store, atomically, and return it as read back; an existing one is unchanged.

        Raises
        ------
        IntegrityError
            When `source` is damaged or no package.
        DependencyUnavailable
            When the remote store is unavailable.
        """
        package = load_package(source)
        target = self.path(package.digest)
        if not target.exists():
            files.make_private_folder(self.folder)
            with files.atomic_folder(target) as folder:
                shutil.copytree(source, folder, dirs_exist_ok=True)
        shared = remote_package_store()
        if shared is not None:
            shared.put(target, package.digest)
        return self.load(package.digest)

    def load(self, digest: str) -> Package:
        """Return the package with this digest.

        Raises
        ------
        IntegrityError
            When the package is missing, damaged, or has another digest.
        DependencyUnavailable
            When it must be fetched and the remote store is unavailable.
        """
        self.fetch(digest)
        return self._require_digest(load_package(self.path(digest)), digest)

    def load_rule_baseline(self, digest: str) -> Package:
        """Return the rule baseline of the package with this digest; raises the errors of `load`."""
        self.fetch(digest)
        return self._require_digest(load_rule_baseline(self.path(digest)), digest)

    def _require_digest(self, package: Package, digest: str) -> Package:
        if package.digest != digest:
            raise IntegrityError(
                f"{self.path(digest)}: contains package {package.digest}; restore {digest} from a backup"
            )
        return package

    def fetch(self, digest: str) -> Path:
        """Return the folder of a package, after it was fetched from the remote store when the folder lacks it.

        Raises
        ------
        DependencyUnavailable
            When the remote store is unavailable.
        """
        target, shared = self.path(digest), remote_package_store()
        if shared is None or target.exists():
            return target
        with files.exclusive_lock(self.folder / ".fetching", operation="fetching a package", wait_s=_FETCH_TIMEOUT_S):
            if not target.exists():
                shared.fetch(digest, target)
        return target
