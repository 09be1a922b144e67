"""Store packages where every replica can fetch them: in an object store or a shared folder."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pipeline import files
from pipeline.errors import ConfigError, DependencyUnavailable
from pipeline.package.manifest import MANIFEST_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["PACKAGES_URL_ENV", "RemotePackageStore", "remote_package_store"]

PACKAGES_URL_ENV = "MLOPS_PACKAGES_URL"
_SCHEMES = ("file", "s3", "gs", "abfss")


@dataclass(frozen=True, slots=True)
class RemotePackageStore:
    """Packages below an address, each in a folder named by its digest; loading verifies the checksums.

    Parameters
    ----------
    url : str
        `s3://BUCKET/PREFIX`, `gs://...`, `abfss://...`, or `file:///FOLDER`. Credentials come from the environment,
        files or the role of the machine, as the store defines, or are part of the address.
    """

    url: str

    def put(self, folder: Path, digest: str) -> None:
        """Upload the package in `folder`; an existing one is unchanged.

        Raises
        ------
        DependencyUnavailable
            When the store is unavailable.
        """
        with self._open_store() as (store, base):
            target = f"{base}/{digest}"
            if _exists(store, f"{target}/{MANIFEST_FILE}"):
                return
            store.create_dir(target, recursive=True)
            # The manifest is written last, so that a package exists completely or not at all.
            members = sorted(path for path in folder.rglob("*") if path.is_file())
            for member in sorted(members, key=lambda path: path.name == MANIFEST_FILE):
                name = f"{target}/{member.relative_to(folder).as_posix()}"
                store.create_dir(name.rpartition("/")[0], recursive=True)
                with member.open("rb") as source, store.open_output_stream(name) as sink:
                    shutil.copyfileobj(source, sink)

    def fetch(self, digest: str, target: Path) -> bool:
        """Download a package to `target`, atomically; return whether the store has it.

        Raises
        ------
        DependencyUnavailable
            When the store is unavailable.
        """
        from pyarrow.fs import FileSelector, FileType

        with self._open_store() as (store, base):
            source = f"{base}/{digest}"
            if not _exists(store, f"{source}/{MANIFEST_FILE}"):
                return False
            files.make_private_folder(target.parent)
            with files.atomic_folder(target) as folder:
                for entry in store.get_file_info(FileSelector(source, recursive=True)):
                    if entry.type != FileType.File:
                        continue
                    place = folder / PurePosixPath(entry.path).relative_to(source)
                    place.parent.mkdir(parents=True, exist_ok=True)
                    with store.open_input_stream(entry.path) as stream, place.open("wb") as sink:
                        shutil.copyfileobj(stream, sink)
        return True

    @contextmanager
    def _open_store(self) -> Iterator[tuple[Any, str]]:
        """Yield the file system of the address and the path in it; its errors become errors of this project."""
        from pyarrow import ArrowInvalid
        from pyarrow.fs import FileSystem

        try:
            store, base = FileSystem.from_uri(self.url)
        except ArrowInvalid as error:
            raise ConfigError(
                f"{PACKAGES_URL_ENV}: not the address of a store; expected s3://BUCKET/PREFIX, ..."
            ) from error
        try:
            yield store, base.rstrip("/")
        except OSError as error:
            reason = str(error).partition("\n")[0]
            raise DependencyUnavailable(
                f"{self._redacted_url}: the remote package store is unavailable ({reason}); check {PACKAGES_URL_ENV}"
            ) from error

    @property
    def _redacted_url(self) -> str:
        """The address without credentials."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def remote_package_store() -> RemotePackageStore | None:
    """Return the store of MLOPS_PACKAGES_URL; None when it is not set.

    Raises
    ------
    ConfigError
        When the address has an unknown scheme.
    """
    url = os.environ.get(PACKAGES_URL_ENV)
    if not url:
        return None
    kind = urlsplit(url).scheme
    if kind not in _SCHEMES:
        raise ConfigError(
            f"{PACKAGES_URL_ENV}: {kind or 'no scheme'} is not supported; expected one of {', '.join(_SCHEMES)}"
        )
    return RemotePackageStore(url)


def _exists(store: Any, path: str) -> bool:
    from pyarrow.fs import FileType

    return bool(store.get_file_info(path).type == FileType.File)
