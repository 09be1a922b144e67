"""Write files atomically, hash them, and lock them between processes."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import math
import os
import shutil
import stat
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from pipeline.errors import Conflict, DataError, DependencyUnavailable, IntegrityError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

__all__ = [
    "atomic_file",
    "atomic_folder",
    "canonical_json",
    "exclusive_lock",
    "iter_parquet",
    "link_or_special_file",
    "load_or_create_secret",
    "make_private_folder",
    "parse_yaml",
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
_PRIVATE_FILE_MODE = 0o600
_PRIVATE_FOLDER_MODE = 0o700
_OTHERS_BITS = 0o007
_NOT_OWNER_BITS = 0o077
_MIN_DISTINCT_BYTES = 8
_SPAN_ROWS = 1 << 20


def canonical_json(value: object) -> str:
    """Return `value` as JSON with sorted keys, two spaces and a final newline.

    Raises
    ------
    DataError
        When a number is not finite, which JSON has no form for; the message names its place.
    """
    try:
        return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
    except ValueError:
        place = next(_non_finite_places(value, ""), None)
        if place is None:
            raise
        raise DataError(
            f"{place[0]}: found {place[1]}, expected a finite number; look for infinite or extreme values in the data"
        ) from None


def _non_finite_places(value: object, path: str) -> Iterator[tuple[str, float]]:
    """Yield the path of each NaN or infinity inside `value`, such as columns[2].mean; lists of named parts by name."""
    if isinstance(value, float) and not math.isfinite(value):
        yield path or "the value", value
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _non_finite_places(part, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple):
        for at, part in enumerate(value):
            name = part.get("name", at) if isinstance(part, dict) else at
            yield from _non_finite_places(part, f"{path}[{name}]")


def make_private_folder(path: Path) -> None:
    """Create a folder, with its parents, that only this user can enter, whatever the umask; an existing one stays."""
    if path.is_dir():
        return
    make_private_folder(path.parent)
    try:
        path.mkdir(mode=_PRIVATE_FOLDER_MODE)
    except FileExistsError:
        return  # another process was first
    path.chmod(_PRIVATE_FOLDER_MODE)


def link_or_special_file(path: Path, *, folder: bool = False) -> str | None:
    """Return why `path` is no regular file (or no plain folder), without following or opening it; None if it is one."""
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return "is a link; replace it by a copy of what it points to"
    if folder:
        return None if stat.S_ISDIR(mode) else "is no folder"
    if stat.S_ISREG(mode):
        return None
    return "is a folder; expected a file" if stat.S_ISDIR(mode) else "is a pipe, socket or device; expected a file"


@contextmanager
def atomic_file(path: Path, *, is_private: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside `path`; after the block succeeds it is synced and renamed to `path`.

    Only this user can read a private file.

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
            temporary.chmod(_PRIVATE_FILE_MODE if is_private else 0o644)
            _fsync(temporary)
            temporary.replace(path)
            _fsync(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside `path`; after the block succeeds it replaces `path`."""
    with _explain_disk_error(path):
        path.parent.mkdir(parents=True, exist_ok=True)
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


def parse_yaml(content: bytes | str) -> Any:
    """Return the value of YAML that a program wrote; settings of people are read by `strict_yaml`.

    libyaml parses a schema of a thousand columns ten times faster than PyYAML's own parser.

    Raises
    ------
    yaml.YAMLError
        When it is not YAML, or has a tag other than plain ones.
    """
    import yaml

    return yaml.load(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 # nosec B506 - safe


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


def iter_parquet(
    file: pq.ParquetFile, columns: Sequence[str], *, batch_rows: int, groups: Sequence[int] | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of an open Parquet file in batches, in memory that does not grow with the file.

    pyarrow's own iterator holds all bytes that it has read until it ends; each one here ends after some row groups of
    together a million rows.

    Parameters
    ----------
    file : ParquetFile
    columns : sequence of str
    batch_rows : int
        Most rows of a batch.
    groups : sequence of int, optional
        Row groups to read; all when None.
    """
    metadata = file.metadata
    waiting: list[int] = []
    n_rows = 0
    for group in range(metadata.num_row_groups) if groups is None else groups:
        waiting.append(group)
        n_rows += metadata.row_group(group).num_rows
        if n_rows >= _SPAN_ROWS:
            yield from file.iter_batches(batch_size=batch_rows, row_groups=waiting, columns=list(columns))
            waiting, n_rows = [], 0
    if waiting:
        yield from file.iter_batches(batch_size=batch_rows, row_groups=waiting, columns=list(columns))


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


def load_or_create_secret(path: Path, *, n_bytes: int, purpose: str) -> bytes:
    """Return the random bytes in a file; the first call creates it, whole or not at all.

    Raises
    ------
    IntegrityError
        When the file has another size, can be read by other users, or holds no random bytes.
    DependencyUnavailable
        When the file cannot be created or read.
    """
    make_private_folder(path.parent)
    with (
        _explain_disk_error(path),
        exclusive_lock(path.with_name(f"{path.name}.lock"), operation=f"creating {purpose}", wait_s=10),
    ):
        if not path.is_symlink() and not path.exists():
            with atomic_file(path, is_private=True) as temporary:
                temporary.write_bytes(os.urandom(n_bytes))
    try:
        status, secret = path.stat(), path.read_bytes()
    except OSError as error:
        raise DependencyUnavailable(
            f"{path}: {purpose} cannot be read ({error.strerror}); make it readable for this user"
        ) from error
    if len(secret) != n_bytes or len(set(secret)) < min(n_bytes, _MIN_DISTINCT_BYTES):
        found = f"{len(secret)} bytes" if len(secret) != n_bytes else "no random bytes"
        raise IntegrityError(
            f"{path}: {purpose} has {found}; expected {n_bytes} random bytes. Restore the file from a backup;"
            " without one, remove it: the next start creates another"
        )
    # A mounted secret belongs to root, and to a group that this process is in.
    foreign_bits = _NOT_OWNER_BITS if status.st_uid == os.geteuid() else _OTHERS_BITS
    if status.st_mode & foreign_bits:
        raise IntegrityError(
            f"{path}: other users can read {purpose} (mode {status.st_mode & 0o777:04o}); run `chmod 600 {path}`"
        )
    return secret
