"""Keep SQLite's write-ahead log small without making a commit wait for it.

By default SQLite copies the pages of the log back within the commit that reaches its limit. That commit waits, and so
do all commits behind it. Here a separate thread copies while the writer continues. The thread never reaches the end
of a log that grows meanwhile, and SQLite restarts only a log that was copied whole. The writer copies the few pages
that came since.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import SQLAlchemyError

from pipeline.errors import Conflict

if TYPE_CHECKING:
    from pipeline.state.database import State

__all__ = ["WalCheckpointer", "empty_wal"]

_PAGE_BYTES = 4_096
# Pages that the thread copies at a time.
_CHECKPOINT_PAGES = 2_000
# What the writer copies itself; more only in a log of `_LONG_WAL_PAGES` pages, since it has to end somewhere.
_SHORT_WAL_PAGES = 300
_LONG_WAL_PAGES = 16_000
# Beyond this the writer waits for the thread: on a slow disk the log would grow without end.
_MAX_WAL_PAGES = 20_000
# Roughly, and rather too many: a commit writes a page of the table, of each index and of the counters.
_PAGES_PER_COMMIT = 5
_ROWS_PER_PAGE = 6
# PASSIVE waits for no reader or writer, and blocks none.
_CHECKPOINT_SQL = "PRAGMA wal_checkpoint(PASSIVE)"


def empty_wal(state: State) -> None:
    """Copy the whole write-ahead log into the database and cut its file, so that nothing deleted remains in it.

    Raises
    ------
    Conflict
        When a reader or writer holds the log for ten seconds.
    """
    if not state.is_file:
        return
    with closing(state.engine.raw_connection()) as connection:
        is_busy, _, _ = connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if is_busy:
        raise Conflict(
            f"{state.address}: another program reads the state database, so its write-ahead log still holds what was"
            " erased; run the command again"
        )


@dataclass
class WalCheckpointer:
    """Checkpoints the log of one writer, which reports each commit; used by the writer's thread.

    SQLite before 3.51.3 may lose pages when one checkpoint begins behind another that has copied everything, in the
    moment in which a commit restarts the log. Here each begins after a commit of which nothing is copied yet.
    """

    state: State
    _thread: threading.Thread | None = field(default=None, init=False)
    _n_pages_since_checkpoint: int = field(default=0, init=False)
    _n_wal_pages: int = field(default=0, init=False)
    _wal_path: str = field(init=False)

    def __post_init__(self) -> None:
        """Name the file once."""
        self._wal_path = f"{self.state.engine.url.database}-wal"

    def disable_autocheckpoint(self, connection: Any) -> None:
        """Turn off automatic checkpoints of the writer's connection, and limit the size of a log that restarts."""
        cursor = connection.cursor()
        cursor.execute("PRAGMA wal_autocheckpoint=0")
        cursor.execute(f"PRAGMA journal_size_limit={_LONG_WAL_PAGES * _PAGE_BYTES}")

    def record_commit(self, connection: Any, n_rows: int) -> None:
        """Count a commit of `n_rows` rows, and start a checkpoint if one is due."""
        self._n_pages_since_checkpoint += _PAGES_PER_COMMIT + n_rows // _ROWS_PER_PAGE
        if self._thread is None:
            # Rows may be wider than the estimate.
            if (
                self._n_pages_since_checkpoint >= _CHECKPOINT_PAGES
                or self._wal_size_bytes() > _LONG_WAL_PAGES * _PAGE_BYTES
            ):
                self._start_checkpoint_thread()
        elif not self._thread.is_alive() or self._wal_size_bytes() > _MAX_WAL_PAGES * _PAGE_BYTES:
            self._thread.join()
            self._thread = None
            if self._n_pages_since_checkpoint <= _SHORT_WAL_PAGES or self._n_wal_pages >= _LONG_WAL_PAGES:
                self._n_pages_since_checkpoint = 0
                self._checkpoint(connection)
            else:
                self._start_checkpoint_thread()

    def close(self) -> None:
        """Wait for the thread."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _wal_size_bytes(self) -> int:
        """Return the size of the log file, which does not shrink when SQLite restarts the log."""
        try:
            return os.stat(self._wal_path).st_size  # noqa: PTH116 - asked for each commit
        except OSError:
            return 0

    def _start_checkpoint_thread(self) -> None:
        self._n_pages_since_checkpoint = 0
        thread = threading.Thread(target=self._checkpoint_in_thread, name="checkpoint", daemon=True)
        with suppress(RuntimeError):  # no more threads: the rows are committed, and the log is copied another time
            thread.start()
            self._thread = thread

    def _checkpoint_in_thread(self) -> None:
        with suppress(sqlite3.Error, SQLAlchemyError), closing(self.state.engine.raw_connection()) as connection:
            self._checkpoint(connection)

    def _checkpoint(self, connection: Any) -> None:
        # What cannot be copied now stays in the log, where it is safe, and is tried again; a full disk stops commits.
        with suppress(sqlite3.Error):
            _, self._n_wal_pages, _ = connection.cursor().execute(_CHECKPOINT_SQL).fetchone()
