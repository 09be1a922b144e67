"""One value for the address of a file or folder, local or in an object store."""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from pipeline import files
from pipeline.errors import DataError, DependencyUnavailable, UsageError
from pipeline.storage.object_stores import (
    FILE_SYSTEMS,
    explained_store_errors,
    file_system,
    is_store_report,
    object_store,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["StorageEntry", "StoragePath"]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
# What signs a request in the query of an address, such as the token of a shared access signature.
_SIGNATURE = re.compile(
    r"[?&](sig|signature|token|key|AWSAccessKeyId|GoogleAccessId|X-Amz-[A-Za-z-]+|X-Goog-[A-Za-z-]+)=", re.IGNORECASE
)
_CHUNK_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class StorageEntry:
    """A file of a listing, its size in bytes, and when it was written (seconds since 1970)."""

    path: StoragePath
    n_bytes: int
    modified_at: float


@dataclass(frozen=True, slots=True, order=True)
class StoragePath:
    """The address of a file or folder.

    Parameters
    ----------
    scheme : str
        `file`, `s3`, `gs` or `az`.
    path : str
        A local path, or `BUCKET/KEY`; without a slash at its end.

    Examples
    --------
    >>> str(StoragePath.parse("s3://rows/2026/") / "part-000001.parquet")
    's3://rows/2026/part-000001.parquet'
    """

    scheme: str
    path: str

    @classmethod
    def parse(cls, address: str | Path) -> StoragePath:
        """Return the value of an address as a user writes it.

        Raises
        ------
        UsageError
            When the address is empty or has credentials, the scheme is unknown, or the bucket is missing.
        """
        text = str(address)
        if not text:
            raise UsageError("an address is empty; expected a path, or an address such as s3://BUCKET/KEY")
        match = _SCHEME.match(text)
        if match is None:
            return cls("file", text.rstrip("/") or text)
        scheme, rest = match[1].lower(), text[match.end() :].rstrip("/")
        if scheme == "file":
            return cls("file", unquote(urlsplit(text).path).rstrip("/"))
        if scheme not in set(FILE_SYSTEMS):
            known = ", ".join(f"{name}://" for name in FILE_SYSTEMS)
            raise UsageError(f"{scheme}://: is not supported; expected a local path, file://, {known}")
        if (fault := _fault_of(rest)) is not None:
            raise UsageError(f"{scheme}://...: {fault}; expected {scheme}://BUCKET/KEY")
        return cls(scheme, rest)

    def __str__(self) -> str:
        """Return the address as a user writes it."""
        return self.path if self.is_local else f"{self.scheme}://{self.path}"

    def __truediv__(self, name: str) -> StoragePath:
        """Return the address of `name` below this one."""
        return StoragePath(self.scheme, f"{self.path}/{name}" if self.path != "/" else f"/{name}")

    @property
    def is_local(self) -> bool:
        """Whether it is a path of this machine."""
        return self.scheme == "file"

    @property
    def local(self) -> Path:
        """The local path.

        Raises
        ------
        UsageError
            When the address is in an object store.
        """
        if not self.is_local:
            raise UsageError(f"{self}: is in an object store; expected a local path")
        return Path(self.path)

    def absolute(self) -> StoragePath:
        """Return an address that other processes understand in any folder; a link stays one."""
        return StoragePath("file", os.path.abspath(self.path)) if self.is_local else self  # noqa: PTH100 - removes `..`

    def resolved(self) -> StoragePath:
        """Return the absolute address without links."""
        return StoragePath("file", str(self.local.resolve())) if self.is_local else self

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def suffix(self) -> str:
        """The suffix of the name, such as `.parquet`; empty without one."""
        return Path(self.name).suffix

    @property
    def parent(self) -> StoragePath:
        """The folder of the path; of a bucket, the bucket."""
        if self.is_local:
            return StoragePath(self.scheme, str(Path(self.path).parent))
        return StoragePath(self.scheme, self.path.rpartition("/")[0] or self.path)

    @property
    def _file_system(self) -> Any:
        if self.is_local:
            from pyarrow.fs import LocalFileSystem

            return LocalFileSystem(use_mmap=True)
        return file_system(self.scheme)

    def exists(self) -> bool:
        """Return whether there is a file or folder."""
        from pyarrow.fs import FileType

        with explained_store_errors(str(self)):
            return bool(self._file_system.get_file_info(self.path).type != FileType.NotFound)

    def n_bytes(self) -> int:
        """Return the size of the file.

        Raises
        ------
        FileNotFoundError
            When there is no such file.
        """
        with explained_store_errors(str(self)):
            info = self._file_system.get_file_info(self.path)
        if not info.is_file:
            raise FileNotFoundError(f"{self}: no such file")
        return int(info.size)

    def is_folder(self) -> bool:
        """Return whether there is a folder; in an object store, whether there is an object below it."""
        from pyarrow.fs import FileType

        with explained_store_errors(str(self)):
            return bool(self._file_system.get_file_info(self.path).type == FileType.Directory)

    def list_files(self, *, recursive: bool = False) -> list[StorageEntry]:
        """Return the files below this folder, sorted by path; none where there is no folder.

        A local link to nothing is left out.

        Raises
        ------
        DataError
            When a name is no UTF-8.
        """
        from pyarrow.fs import FileSelector, FileType

        selector = FileSelector(self.path, recursive=recursive, allow_not_found=True)
        with explained_store_errors(str(self)):
            infos = self._file_system.get_file_info(selector)
        try:
            entries = [
                StorageEntry(StoragePath(self.scheme, info.path), info.size, info.mtime_ns / 1e9)
                for info in infos
                if info.type == FileType.File
            ]
        except UnicodeDecodeError as error:
            raise DataError(f"{self}: has the name {error.object!r}, which is no UTF-8; rename the file") from error
        return sorted(entries, key=lambda entry: entry.path)

    def open_input(self) -> Any:
        """Return an Arrow file that reads at any position; a local one is mapped into memory.

        Raises
        ------
        FileNotFoundError
            When there is no such file.
        DependencyUnavailable
            When the store is unavailable.
        """
        with explained_store_errors(str(self)):
            return self._file_system.open_input_file(self.path)

    def require_available(self, error: Exception) -> None:
        """Raise if a failed read of an object is one of its store, and not of the content.

        Parameters
        ----------
        error : Exception
            What a reader of `open_input` raised.

        Raises
        ------
        DependencyUnavailable
            When the store reported the error, or is unavailable now.
        """
        if self.is_local:
            return
        with explained_store_errors(str(self)):
            if is_store_report(error):
                raise error
        self.exists()

    def read_bytes(self) -> bytes:
        """Return the content of the file; raises the errors of `open_input`."""
        with self.open_input() as stream, explained_store_errors(str(self)):
            return bytes(stream.read())

    @contextmanager
    def local_copy(self) -> Iterator[Path]:
        """Yield a local path with the content: the file itself, or a copy that is removed after the block.

        Raises
        ------
        FileNotFoundError
            When there is no such object.
        DependencyUnavailable
            When the store is unavailable, the read breaks, or the extra of the store is not installed.
        """
        if self.is_local:
            yield self.local
            return
        with tempfile.TemporaryDirectory(prefix="mlops-") as folder:
            target = Path(folder) / self.name
            self._download(target)
            yield target

    def _download(self, target: Path) -> None:
        """Write the content of the object to `target`, by one request: an object replaced meanwhile does not mix in."""
        store, key = self._store_and_key()
        import obstore

        with explained_store_errors(str(self)), target.open("wb") as sink:
            found = obstore.get(store, key)
            for chunk in found.stream(min_chunk_size=_CHUNK_BYTES):
                sink.write(chunk)
        n_bytes = target.stat().st_size
        if n_bytes != found.meta["size"]:
            raise DependencyUnavailable(f"{self}: {n_bytes} of {found.meta['size']} bytes were read; run it again")

    @contextmanager
    def writing(self, *, is_private: bool = False) -> Iterator[Path]:
        """Yield a local path to write; when the block succeeds, its content is here as a whole, else nothing is.

        Only this user can read a private local file; who reads an object is decided by the bucket.

        Raises
        ------
        DependencyUnavailable
            When the disk is full, the store is unavailable, or its extra is not installed.
        """
        if self.is_local:
            with files.atomic_file(self.local, is_private=is_private) as temporary:
                yield temporary
            return
        store, key = self._store_and_key()
        with tempfile.TemporaryDirectory(prefix="mlops-") as folder:
            source = Path(folder) / self.name
            yield source
            import obstore

            with explained_store_errors(str(self), is_write=True):
                obstore.put(store, key, source)

    def write_bytes(self, content: bytes) -> None:
        """Write a file as a whole; an existing one is replaced."""
        with self.writing() as path:
            path.write_bytes(content)

    def create(self, content: bytes) -> bool:
        """Write a file unless there is one; return whether this call wrote it. Of several callers, one does.

        Raises
        ------
        DependencyUnavailable
            When the disk or store is unavailable, or the extra of the store is not installed.
        """
        if self.is_local:
            with explained_store_errors(str(self), is_write=True):
                return _create_local(self.local, content)
        store, key = self._store_and_key()
        import obstore
        from obstore.exceptions import AlreadyExistsError

        with explained_store_errors(str(self), is_write=True):
            try:
                obstore.put(store, key, content, mode="create")
            except AlreadyExistsError:
                return False
        return True

    def version(self) -> str:
        """Return what identifies the content: the digest of a local file, the ETag of an object.

        Raises
        ------
        FileNotFoundError
            When there is no such file.
        DependencyUnavailable
            When the store is unavailable, or its extra is not installed.
        """
        if self.is_local:
            return f"sha256:{files.sha256_file(self.local)}"
        store, key = self._store_and_key()
        import obstore

        with explained_store_errors(str(self)):
            return f"etag:{obstore.head(store, key)['e_tag']}"

    def remove(self) -> None:
        """Remove the file; without one, do nothing."""
        if self.is_local:
            self.local.unlink(missing_ok=True)
            return
        with explained_store_errors(str(self)):
            if self.exists():
                self._file_system.delete_file(self.path)

    def _store_and_key(self) -> tuple[Any, str]:
        """Return the store of the bucket and the key in it.

        Raises
        ------
        UsageError
            When the address names a bucket alone.
        """
        bucket, _, key = self.path.partition("/")
        if not key:
            raise UsageError(f"{self}: is a bucket; expected {self.scheme}://{bucket}/KEY")
        return object_store(self.scheme, bucket), key


def _fault_of(rest: str) -> str | None:
    """Return what is wrong with `BUCKET/KEY`; None where nothing is."""
    bucket, _, key = rest.partition("/")
    if "@" in bucket or _SIGNATURE.search(rest):
        return "has credentials; set them in the environment"
    if not bucket:
        return "has no bucket"
    if key and not all(part not in {"", ".", ".."} for part in key.split("/")):
        return "has an empty part, . or .."
    return None


def _create_local(path: Path, content: bytes) -> bool:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(0o644)
        try:
            path.hardlink_to(temporary)
        except FileExistsError:
            return False
    finally:
        temporary.unlink(missing_ok=True)
    return True
