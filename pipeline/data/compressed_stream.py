"""Open a file of rows for reading; one that is compressed, by the end of its name, is decompressed on the way.

Memory is bounded by a buffer. A file that grows without bounds is refused while it is read.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, cast

from pipeline.errors import DataError
from pipeline.lookup import LookupTable
from pipeline.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["max_expanded_bytes", "open_rows_stream"]

_BUFFER_BYTES = 1 << 20
# Tables of text shrink to a third or a thirtieth. What grows by more, to more than this, is not a table.
_MAX_GROWTH = 200
_ALWAYS_ACCEPTED_BYTES = 1 << 30
_READ_ERRORS = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError, RuntimeError)

_DECOMPRESSORS: LookupTable[Callable[[Path], IO[bytes]]] = LookupTable("suffix")


def open_rows_stream(path: Path) -> IO[bytes]:
    """Return the bytes of a file, decompressed where its name ends with .gz, .zst, .bz2, .xz or .zip.

    Raises
    ------
    DataError
        When the file cannot be read; also by `read`, where it is damaged, ends early, or grows to more than 1 GiB
        and 200 times its size.
    """
    suffix = path.suffix.lower()
    try:
        if suffix not in _DECOMPRESSORS:
            return path.open("rb")
        inner = _DECOMPRESSORS[suffix](path)
        limit = max_expanded_bytes(path.stat().st_size)
    except FileNotFoundError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except _READ_ERRORS as error:
        raise _damaged(path, error) from error
    return io.BufferedReader(_CheckedStream(inner, path, limit), _BUFFER_BYTES)


def max_expanded_bytes(n_bytes: int) -> int:
    """Return the most bytes that a compressed file of `n_bytes` may hold."""
    return max(_ALWAYS_ACCEPTED_BYTES, _MAX_GROWTH * n_bytes)


class _CheckedStream(io.RawIOBase):
    """A decompressed stream that counts its bytes, and names the file in each error."""

    def __init__(self, inner: IO[bytes], path: Path, limit: int) -> None:
        self._inner = inner
        self._path = path
        self._n_free = limit

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override] # any writable buffer
        try:
            content = self._inner.read(len(buffer))
        except _READ_ERRORS as error:
            raise _damaged(self._path, error) from error
        self._n_free -= len(content)
        if self._n_free < 0:
            raise DataError(
                f"{self._path}: grows to more than {_MAX_GROWTH} times its size; expected a table."
                " Decompress it and read the result, if you trust it"
            )
        buffer[: len(content)] = content
        return len(content)

    def close(self) -> None:
        self._inner.close()
        super().close()


def _damaged(path: Path, error: Exception) -> DataError:
    reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return DataError(f"{path}: is no complete {PurePosixPath(path).suffix} file: {reason}; get the file again")


@_DECOMPRESSORS.add(".gz")
def _open_gzip(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path))


@_DECOMPRESSORS.add(".bz2")
def _open_bzip2(path: Path) -> IO[bytes]:
    return bz2.open(path)


@_DECOMPRESSORS.add(".xz")
def _open_xz(path: Path) -> IO[bytes]:
    return lzma.open(path)


@_DECOMPRESSORS.add(".zst")
def _open_zstandard(path: Path) -> IO[bytes]:
    import pyarrow as pa

    stream: IO[bytes] = pa.CompressedInputStream(pa.OSFile(str(path)), "zstd")
    return stream


@_DECOMPRESSORS.add(".zip")
def _open_zip(path: Path) -> IO[bytes]:
    """Open the only file of an archive; folders and the files that macOS adds do not count."""
    archive = zipfile.ZipFile(path)
    members = [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX/")]
    if len(members) != 1:
        raise DataError(f"{path}: holds {pluralize(len(members), 'file')}; expected one. Extract the one with the rows")
    return archive.open(members[0])
