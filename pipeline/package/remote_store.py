"""Store packages where every replica can fetch them: in an object store or a shared folder."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pipeline import files
from pipeline.errors import ConfigError, DependencyUnavailable, UsageError
from pipeline.package.manifest import MANIFEST_FILE
from pipeline.storage import StoragePath

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["PACKAGES_URL_ENV", "RemotePackageStore", "remote_package_store"]

PACKAGES_URL_ENV = "MLOPS_PACKAGES_URL"
_CHUNK_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class RemotePackageStore:
    """Packages below an address, each in a folder named by its digest; loading verifies the checksums.

    Parameters
    ----------
    base : StoragePath
        A folder in an object store, or a local one that is shared.
    """

    base: StoragePath

    def put(self, folder: Path, digest: str) -> None:
        """Upload the package in `folder`; an existing one is unchanged.

        Raises
        ------
        DependencyUnavailable
            When the store is unavailable.
        """
        target = self.base / digest
        with _explained_errors():
            if (target / MANIFEST_FILE).exists():
                return
            # The manifest is written last, so that a package exists completely or not at all.
            members = sorted(path for path in folder.rglob("*") if path.is_file())
            for member in sorted(members, key=lambda path: path.name == MANIFEST_FILE):
                with (target / member.relative_to(folder).as_posix()).writing() as copy:
                    shutil.copyfile(member, copy)

    def fetch(self, digest: str, target: Path) -> bool:
        """Download a package to `target`, atomically; return whether the store has it.

        Raises
        ------
        DependencyUnavailable
            When the store is unavailable.
        """
        source = self.base / digest
        with _explained_errors():
            if not (source / MANIFEST_FILE).exists():
                return False
            files.make_private_folder(target.parent)
            with files.atomic_folder(target) as folder:
                for entry in source.list_files(recursive=True):
                    place = folder / PurePosixPath(entry.path.path).relative_to(source.path)
                    place.parent.mkdir(parents=True, exist_ok=True)
                    with entry.path.open_input() as stream, place.open("wb") as sink:
                        shutil.copyfileobj(stream, sink, _CHUNK_BYTES)
        return True


@contextmanager
def _explained_errors() -> Iterator[None]:
    """Say that an error is one of the remote package store, and name the variable with its address."""
    try:
        yield
    except (OSError, DependencyUnavailable) as error:
        raise DependencyUnavailable(f"{error} (the remote package store, {PACKAGES_URL_ENV})") from error


def remote_package_store() -> RemotePackageStore | None:
    """Return the store of MLOPS_PACKAGES_URL; None when it is not set.

    Raises
    ------
    ConfigError
        When the address has an unknown scheme, or credentials.
    """
    url = os.environ.get(PACKAGES_URL_ENV)
    if not url:
        return None
    if "://" not in url:
        raise ConfigError(f"{PACKAGES_URL_ENV}: no scheme; expected s3://BUCKET/PREFIX, gs://, az://, file:///FOLDER")
    try:
        return RemotePackageStore(StoragePath.parse(url))
    except UsageError as error:
        raise ConfigError(f"{PACKAGES_URL_ENV}: {error}") from error
