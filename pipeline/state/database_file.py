"""The file of an SQLite database: private from its creation, and checked while connections are open.

An open connection follows a file, not its name. After the file was replaced, removed or renamed, commits succeed and
reach a file that no other program reads. So each connection carries the identity of its files, which is compared with
the files under these names. It is read before and after they are opened: meanwhile another program may replace a file,
or close the database as the last one and so remove its log.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from threading import RLock
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy import event, exc

from pipeline.errors import DependencyUnavailable
from pipeline.files import make_private_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Engine

__all__ = ["DatabaseFile", "FileIdentity", "close_on_error"]

_INFO_KEY = "file_identity"
# Use the write-ahead log, sync each commit, enforce foreign keys, overwrite what is deleted; the last opens the files.
_OPENING_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON", "schema_version")
_N_OPEN_ATTEMPTS = 5
_STILL_OPEN = (
    "was replaced, or lost its -wal or -shm file, while a program has it open",
    "if it does not come back by itself, stop all programs that use it and start them again",
)
_SUFFIXES = ("", "-wal", "-shm")
# A commit needs this much; SQLite itself reports a full disk only when a commit fails.
_MIN_FREE_BYTES = 1_000_000
_PRIVATE_MODE = 0o600
_WRITE_BITS = 0o222


class FileIdentity(NamedTuple):
    """Device and inode of the database, its write-ahead log and its shared memory; None for a file that is absent."""

    database: tuple[int, int] | None
    wal: tuple[int, int] | None
    shared_memory: tuple[int, int] | None


@dataclass
class DatabaseFile:
    """The file of a state database; `watch` applies it to each connection of an engine.

    Parameters
    ----------
    path : Path
    """

    path: Path
    _has_connected: bool = field(default=False, init=False)
    _is_replaced: bool = field(default=False, init=False)
    _identity: FileIdentity | None = field(default=None, init=False)
    _open_identities: WeakKeyDictionary[Any, FileIdentity] = field(default_factory=WeakKeyDictionary, init=False)
    _lock: RLock = field(default_factory=RLock, init=False)
    _lost: FileIdentity | None = field(default=None, init=False)
    _largest_bytes: int = field(default=0, init=False)
    _names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Name the files once; they are looked up for each commit."""
        self._names = tuple(f"{self.path}{suffix}" for suffix in _SUFFIXES)

    def watch(self, engine: Engine) -> None:
        """Open only the file that is expected, and discard connections whose file was replaced."""
        event.listen(engine, "do_connect", self._connect)
        event.listen(engine, "checkout", self._check_connection)
        event.listen(engine, "close", self._close)

    def is_replaced(self, info: dict[str, Any]) -> bool:
        """Whether the files of a connection are no longer those under their names; `info` is that of its record."""
        known: FileIdentity | None = info.get(_INFO_KEY)
        if known is None:
            return False
        if known == self._read_identity():
            return False
        self._is_replaced, self._lost = True, known
        return True

    def take_replacement(self) -> bool:
        """Whether the files changed since the last call, so that all connections have to be closed."""
        self._notice_replacement()
        is_replaced, self._is_replaced = self._is_replaced, False
        if is_replaced:
            self._identity, self._largest_bytes = None, 0
        return is_replaced

    def _notice_replacement(self) -> None:
        if self._identity is not None:
            self.is_replaced({_INFO_KEY: self._identity})

    def check(self) -> None:
        """Raise unless the file exists and can be written.

        Raises
        ------
        DependencyUnavailable
            Naming its fault.
        """
        try:
            status, folder = self.path.stat(), self.path.parent.stat()
            file_system = os.statvfs(self.path)
        except OSError as error:
            raise self._fault(f"cannot be found ({error.strerror})", "put it back, or restore a backup") from error
        if status.st_size < self._largest_bytes:
            raise self._fault(
                "was overwritten while it was open", "stop the server, restore a backup without -wal and -shm, start it"
            )
        self._largest_bytes = status.st_size
        self._check_wal()
        is_writable = os.access(self.path, os.W_OK) and os.access(self.path.parent, os.W_OK)
        if not is_writable or file_system.f_flag & os.ST_RDONLY or not status.st_mode & folder.st_mode & _WRITE_BITS:
            raise self._fault("is read-only", "make the file and its folder writable")
        if file_system.f_bavail * file_system.f_frsize < _MIN_FREE_BYTES:
            raise self._fault("cannot grow, the disk is full", "free disk space")

    def _check_wal(self) -> None:
        """Refuse a file beside the log of the one before: SQLite would write pages of the old file into the new one."""
        lost = self._lost
        if lost is None:
            return
        now = self._read_identity()
        if now.database not in (None, lost.database) and now.wal is not None and now.wal == lost.wal:
            raise self._fault(
                "was replaced, and the write-ahead log beside it belongs to the file before",
                "stop the server, restore a backup without -wal and -shm, start it",
            )

    def _fault(self, fault: str, advice: str) -> DependencyUnavailable:
        return DependencyUnavailable(f"{self.path}: the state database {fault}; {advice}")

    def _connect(self, dialect: Any, record: Any, _args: list[Any], options: dict[str, Any]) -> Any:
        """Open the file for the pool, one connection at a time."""
        with self._lock:
            connection, identity = self._open_files(dialect, options)
            self._has_connected, self._lost = True, None
            self._identity = self._open_identities[record] = record.info[_INFO_KEY] = identity
        return connection

    def _open_files(self, dialect: Any, options: dict[str, Any]) -> tuple[Any, FileIdentity]:
        """Open the file, which the first connection may create; SQLite would create a removed one anew and empty."""
        if not self._has_connected:
            self._create()
        # SQLite would remove the log of the file before when it opens an empty one in its place.
        self._notice_replacement()
        self._check_wal()
        self._require_both_log_files()
        with ExitStack() as opened:  # the files that a connection created exist until it is closed
            for _ in range(_N_OPEN_ATTEMPTS):
                before = self._read_identity()
                self._require_closed(before)
                connection = self._open(dialect, options)
                after = self._read_identity()
                if before == after and _has_log(connection, after):
                    return connection, after
                opened.callback(connection.close)
        raise self._fault("changes while it is opened", "try again when no program copies or removes its files")

    def _require_closed(self, now: FileIdentity) -> None:
        """Refuse new files while a connection to those before is open.

        SQLite applies what it knows of the log before to the new one, and the last connection that is closed removes
        the log under the name of its own.
        """
        if any(identity != now for identity in self._open_identities.values()):
            raise self._fault(*_STILL_OPEN)

    def _require_both_log_files(self) -> None:
        """Refuse a log without its shared memory, or the reverse: another program has the removed one open."""
        now = self._read_identity()
        if self._has_connected and (now.wal is None) != (now.shared_memory is None):
            raise self._fault(*_STILL_OPEN)

    def _open(self, dialect: Any, options: dict[str, Any]) -> Any:
        """Return a connection that has its log open, which exists from here on until the last one is closed."""
        mode = "rw" if self._has_connected else "rwc"
        connection = dialect.connect(f"{self.path.absolute().as_uri()}?mode={mode}", uri=True, **options)
        with close_on_error(connection):
            for pragma in _OPENING_PRAGMAS:
                connection.execute(f"PRAGMA {pragma}").fetchone()
        return connection

    def _create(self) -> None:
        """Create the file for this user alone; SQLite gives the files beside it the same permissions."""
        make_private_folder(self.path.parent)
        with suppress(OSError):  # it exists, or SQLite reports why it cannot be opened
            # Only a new file: closing any descriptor of an open one would release SQLite's locks.
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _PRIVATE_MODE))
            self.path.chmod(_PRIVATE_MODE)

    def _check_connection(self, _connection: Any, record: Any, _proxy: object) -> None:
        if self.is_replaced(record.info):
            raise exc.DisconnectionError(f"{self.path}: the file was replaced")

    def _close(self, connection: Any, record: Any) -> None:
        """Close a connection here: the pool closes it after this event, and another could be opened between."""
        with self._lock:
            connection.close()
            self._open_identities.pop(record, None)

    def _read_identity(self) -> FileIdentity:
        return FileIdentity(*map(_file_id, self._names))


@contextmanager
def close_on_error(opened: Any) -> Iterator[None]:
    """Close a new connection or database when the block fails, such as its set-up; SQLAlchemy leaves it open."""
    try:
        yield
    except BaseException:
        opened.close()
        raise


def _has_log(connection: Any, identity: FileIdentity) -> bool:
    """Whether the log of a connection is under its name; some file systems do not allow one."""
    return None not in identity or connection.execute("PRAGMA journal_mode").fetchone() != ("wal",)


def _file_id(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - twice as fast, and asked for each commit
    except OSError:
        return None
    return status.st_dev, status.st_ino
