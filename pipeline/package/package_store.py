"""Keep registered packages by their digest, so that what serves needs neither the graph nor MLflow."""

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

# Another process of this machine may be fetching the same one.
_FETCH_TIMEOUT_S = 60.0
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class PackageStore:
    """A folder of packages; each lies below its digest and is never changed.

    Where MLOPS_PACKAGES_URL names a shared store, the folder is this machine's copy of what was needed of it.
    """

    folder: Path

    def path(self, digest: str) -> Path:
        """Return where the package with this digest lies, or would lie.

        Raises
        ------
        IntegrityError
            When it is no digest: it may not lead out of the folder.
        """
        if not _DIGEST.fullmatch(digest):
            raise IntegrityError(f"{digest!r}: is no digest of a package; the state database was changed by hand")
        return self.folder / digest

    def add(self, source: Path) -> Package:
        """Copy a package in, whole or not at all, and return it as it was read back; a known one is kept.

        Raises
        ------
        IntegrityError
            When `source` is no sound package.
        DependencyUnavailable
            When the shared store cannot be had.
        """
        package = load_package(source)
        target = self.path(package.digest)
        if not target.exists():
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
            When it is not there, damaged, or another one.
        DependencyUnavailable
            When it would have to come from the shared store, which cannot be had.
        """
        self._ensure_local(digest)
        return self._require_digest(load_package(self.path(digest)), digest)

    def load_rule_baseline(self, digest: str) -> Package:
        """Return the rule baseline of the package with this digest; raises as `load` does."""
        self._ensure_local(digest)
        return self._require_digest(load_rule_baseline(self.path(digest)), digest)

    def _require_digest(self, package: Package, digest: str) -> Package:
        if package.digest != digest:
            raise IntegrityError(f"{self.path(digest)}: holds package {package.digest}; restore {digest} from a backup")
        return package

    def _ensure_local(self, digest: str) -> None:
        """Fetch a package from the shared store when it is not in the folder."""
        target, shared = self.path(digest), remote_package_store()
        if shared is None or target.exists():
            return
        with files.exclusive_lock(self.folder / ".fetching", operation="fetching a package", wait_s=_FETCH_TIMEOUT_S):
            if not target.exists():
                shared.fetch(digest, target)
