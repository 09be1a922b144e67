"""Write files atomically, hash them, and lock them between processes."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from pipeline.errors import Conflict, DataError, DependencyUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

__all__ = [
    "atomic_file",
    "atomic_folder",
    "canonical_json",
    "exclusive_lock",
    "read_json",
    "read_parquet",
    "sha256",
    "sha256_file",
    "write_json",
    "write_parquet",
    "write_text",
]

_CHUNK_BYTES = 1 << 20
_POLL_S = 0.05


def canonical_json(value: object) -> str:
    """Return `value` as JSON with sorted keys, two spaces and a final newline; NaN is refused."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; after the block succeeds it is synced and renamed to `path`.

    Raises
    ------
    DependencyUnavailable
        When the disk is full or read-only; `path` is unchanged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _explain_disk_error(path):
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            temporary.chmod(0o644)
            _fsync(temporary)
            temporary.replace(path)
            _fsync(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside `path`; after the block succeeds it replaces `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _explain_disk_error(path):
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent))
        try:
            yield temporary
            temporary.chmod(0o755)
            for member in sorted(temporary.rglob("*")):
                member.chmod(0o755 if member.is_dir() else 0o644)
                _fsync(member)
            _replace_folder(path, temporary)
            _fsync(path.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _replace_folder(path: Path, temporary: Path) -> None:
    """Rename `temporary` to `path`; the old folder is renamed first and deleted last."""
    old = temporary.with_suffix(".old")
    if path.exists():
        path.rename(old)
    temporary.rename(path)
    shutil.rmtree(old, ignore_errors=True)


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _explain_disk_error(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EFBIG):
            raise
        raise DependencyUnavailable(
            f"{path}: {error.strerror}; nothing was changed. Free disk space (or fix the permissions) and try again."
        ) from error


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, atomically."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: object) -> None:
    """Write `value` as canonical JSON, atomically."""
    write_text(path, canonical_json(value))


def read_json(path: Path) -> Any:
    """Return the value in a JSON file.

    Raises
    ------
    DataError
        When the file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; run `dvc repro` to create it") from error
    except ValueError as error:
        raise DataError(f"{path}: not valid JSON ({error}); run `dvc repro` to recreate it") from error


def write_parquet(path: Path, frame: pd.DataFrame) -> None:
    """Write the columns of `frame` (its index is dropped) as Parquet; equal frames give equal bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    with atomic_file(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", version="2.6")


def read_parquet(path: Path) -> pd.DataFrame:
    """Return a Parquet file as a frame with nullable integer and boolean columns.

    Raises
    ------
    DataError
        When the file is missing or is not Parquet.
    """
    import pandas as pd
    import pyarrow as pa

    try:
        return pd.read_parquet(path, dtype_backend="numpy_nullable")
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; run `dvc repro` to create it") from error
    except pa.ArrowInvalid as error:
        raise DataError(f"{path}: not a readable Parquet file ({error}); run `dvc repro` to recreate it") from error


def sha256(data: bytes) -> str:
    """Return the SHA-256 of `data` in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal, read in constant memory."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


@contextmanager
def exclusive_lock(path: Path, *, operation: str, wait_s: float = 0) -> Iterator[None]:
    """Hold a kernel lock on `path` for the block; the kernel releases it when the process ends.

    Raises
    ------
    Conflict
        When another process still holds it after `wait_s` seconds; the message names `operation`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        deadline = time.monotonic() + wait_s
        while not _try_lock(handle):
            if time.monotonic() >= deadline:
                raise Conflict(f"{operation}: another process is doing this now; wait for it to end, or stop it")
            time.sleep(_POLL_S)
        yield


def _try_lock(handle: IO[str]) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
