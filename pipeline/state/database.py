"""Connect to the state database and run transactions in it, on SQLite and PostgreSQL."""

from __future__ import annotations

import os
import re
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event, exc, text
from sqlalchemy.engine import make_url

from pipeline.errors import (
    ConfigError,
    Conflict,
    DatabaseDamaged,
    DatabaseMissing,
    DependencyUnavailable,
    NotAllowed,
)
from pipeline.project import paths
from pipeline.state.database_file import DatabaseFile
from pipeline.state.stored_rows import watch_inserts
from pipeline.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection, Engine
    from sqlalchemy.pool import ConnectionPoolEntry

__all__ = [
    "BACKUP_GUIDE",
    "STATE_URL_ENV",
    "WRITER_LOCK_KEY",
    "State",
    "connect_to",
    "connect_to_project",
    "count_packages",
    "is_insufficient_privilege",
    "refuse_new_database",
    "state_exists",
    "utc_now_us",
]

STATE_URL_ENV = "MLOPS_STATE_URL"

BACKUP_GUIDE = "docs/how-to/backup.md"

_BUSY_TIMEOUT_S = 10
_PACKAGE_NAME = re.compile(r"[0-9a-f]{64}")
# Words of SQLite about a file whose bytes are wrong.
_SIGNS_OF_DAMAGE = ("not a database", "malformed")
# One writer at a time, so that sequences have no gaps: SQLite's own rule, and this lock on PostgreSQL.
WRITER_LOCK_KEY = 6_021_023
# PostgreSQL's code of a statement that the account has no right to.
_INSUFFICIENT_PRIVILEGE = "42501"
# PostgreSQL's words when it refuses the connection itself.
_NO_ENTRY = "permission denied for database"
_LOCK_TIMEOUT_SQL = f"SET LOCAL lock_timeout = '{_BUSY_TIMEOUT_S}s'"

# One statement that fails without one of the tables that serving needs.
_SERVING_TABLES = ("predictions", "outcomes", "idempotent_responses", "counters", "deployments", "api_keys", "audit")
_EXISTS_SQL = ", ".join(f"EXISTS (SELECT 1 FROM {table})" for table in _SERVING_TABLES)  # noqa: S608 - constants  # nosec B608
_TABLES_SQL = f"SELECT version_num, {_EXISTS_SQL} FROM mlops_schema"  # noqa: S608 - constants  # nosec B608
_IS_READ_ONLY_SQL = "SELECT pg_is_in_recovery() OR current_setting('default_transaction_read_only')::boolean"


def utc_now_us() -> int:
    """Return the current time in microseconds since 1970, UTC."""
    return time.time_ns() // 1000


@dataclass
class State:
    """One state database.

    Parameters
    ----------
    engine : sqlalchemy.Engine
    clock : callable
        Returns the moment in microseconds since 1970, UTC.
    file : DatabaseFile or None
        The file of an SQLite database.
    """

    engine: Engine
    clock: Callable[[], int] = field(default=utc_now_us)
    file: DatabaseFile | None = None

    @property
    def is_file(self) -> bool:
        """Whether the database is an SQLite file."""
        return self.engine.dialect.name == "sqlite"

    @property
    def address(self) -> str:
        """Address of the database, without its password."""
        return self.engine.url.render_as_string(hide_password=True)

    @contextmanager
    def writing(self, *, lock: int = WRITER_LOCK_KEY) -> Iterator[Connection]:
        """Yield a connection in a transaction of the only writer; an error rolls it back.

        On PostgreSQL, work that takes no number of a sequence may use another lock, and runs beside the writers.

        Raises
        ------
        Conflict
            When another writer holds the database for ten seconds.
        DependencyUnavailable
            When the database is unavailable, or the disk is full; DatabaseDamaged when its file is damaged.
        NotAllowed
            When the account of the address has no right to a statement.
        """
        with self._translate_errors(), self.engine.connect() as connection:
            if self.is_file:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                connection.execute(text(_LOCK_TIMEOUT_SQL))
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock})
            try:
                yield connection
                connection.commit()
            except BaseException:
                connection.rollback()
                raise
            self.check_connection(connection.info)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a connection with one snapshot of the database."""
        with self._translate_errors(), self.engine.connect() as connection:
            if self.is_file:
                connection.exec_driver_sql("BEGIN")
            else:
                connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
            yield connection
            connection.rollback()

    def check_connection(self, info: dict[Any, Any]) -> None:
        """Raise if the file of a connection was replaced or removed; `info` is that of the connection.

        Raises
        ------
        DependencyUnavailable
            When what was committed may be in a file that no other program reads.
        """
        if self.file is not None and self.file.is_replaced(info):
            raise DependencyUnavailable(
                f"{self.address}: the file of the state database was replaced or removed while it was open;"
                " the change may be lost, make it again"
            )

    def check_storage(self) -> bool:
        """Check that the open database is the one at its address, has its tables, and can be written.

        Returns
        -------
        bool
            Whether connections were closed because the file had been replaced.

        Raises
        ------
        DependencyUnavailable
            When the database is missing, read-only or full, or has other tables.
        NotAllowed
            When the account may not read the tables that serving needs.
        """
        is_replaced = self.file is not None and self.file.take_replacement()
        if is_replaced:
            self._discard_pool()
        if self.file is not None:
            self.file.check()
        try:
            self._check_tables()
        except Exception:
            if self.file is not None:
                # SQLite trusts what it knows of a log until the last connection to it is closed.
                self._discard_pool()
            raise
        return is_replaced

    def _check_tables(self) -> None:
        try:
            with self.reading() as connection:
                connection.exec_driver_sql(_TABLES_SQL).all()
                if not self.is_file and connection.exec_driver_sql(_IS_READ_ONLY_SQL).scalar():
                    raise DependencyUnavailable(f"{self.address}: the state database is read-only")
        except exc.ProgrammingError as error:
            reason = str(error.orig).strip().partition("\n")[0]
            raise DependencyUnavailable(
                f"{self.address}: the database has other tables ({reason}); restore a backup, or restart the server"
            ) from error

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """Convert errors of the database driver inside the block to errors of this project."""
        try:
            yield
        except exc.DatabaseError as error:
            if not self.is_file and is_insufficient_privilege(error):
                reason = str(error.orig).strip().partition("\n")[0]
                raise NotAllowed(
                    f"{self.address}: the database refused a statement of the account {self.engine.url.username}"
                    f" ({reason}); use an account that has the right, or run `mlops state grant --apply` as the owner"
                ) from error
            if isinstance(error, exc.IntegrityError | exc.ProgrammingError | exc.DataError | exc.NotSupportedError):
                raise  # the statement is wrong, not the environment
            reason = str(error.orig).strip().partition("\n")[0]
            if "lock" in reason or "busy" in reason:
                raise Conflict(
                    f"{self.address}: another program holds the lock of the state database ({reason}); try again"
                ) from error
            if _NO_ENTRY in reason:
                raise NotAllowed(
                    f"{self.address}: the account {self.engine.url.username} may not enter the database; run"
                    " `mlops state grant --apply` as the owner of its tables"
                ) from error
            if any(sign in reason for sign in _SIGNS_OF_DAMAGE):
                raise DatabaseDamaged(
                    f"{self.address}: the state database is damaged ({reason}); restore a backup ({BACKUP_GUIDE})"
                ) from error
            raise DependencyUnavailable(f"{self.address}: the state database is unavailable ({reason})") from error

    def _discard_pool(self) -> None:
        """Close all connections; one that another thread uses, or opens meanwhile, is closed when it returns it."""
        pool = self.engine.pool
        self.engine.dispose()
        # After the new pool exists, so that its connections stay open; then again, for what came back in between.
        event.listen(pool, "checkin", _close_returned)
        pool.dispose()

    def close(self) -> None:
        """Close all connections; one that another thread uses is closed when it returns it."""
        event.listen(self.engine, "checkin", _close_returned)
        self.engine.dispose()


def is_insufficient_privilege(error: exc.DatabaseError) -> bool:
    """Whether PostgreSQL refused a statement because the account has no right to it."""
    return getattr(error.orig, "sqlstate", None) == _INSUFFICIENT_PRIVILEGE


def state_exists(root: Path) -> bool:
    """Whether the project at `root` has a state database: its file, or an address in `MLOPS_STATE_URL`.

    Raises
    ------
    DatabaseMissing
        When the file is missing, although packages that it registered exist.
    """
    _require_state_file(root)
    return bool(os.environ.get(STATE_URL_ENV)) or (root / paths.STATE_DATABASE).exists()


def _require_state_file(root: Path) -> None:
    """Raise for a missing file of a project that has packages: SQLite would create it anew."""
    path = root / paths.STATE_DATABASE
    if not path.exists() or not path.stat().st_size:
        refuse_new_database(root)


def refuse_new_database(root: Path) -> None:
    """Raise if registered packages exist: a project that lost its database must not look like a new one.

    The database at an address in `MLOPS_STATE_URL` may be new, because packages are copied there first.

    Raises
    ------
    DatabaseMissing
        Naming the file and the number of packages.
    """
    n_packages = 0 if os.environ.get(STATE_URL_ENV) else count_packages(root)
    if n_packages:
        packages = f"{pluralize(n_packages, 'registered package')} {'exists' if n_packages == 1 else 'exist'}"
        raise DatabaseMissing(
            f"{root / paths.STATE_DATABASE}: the state database is missing, although {packages} in"
            f" {paths.PACKAGES}; restore a backup ({BACKUP_GUIDE}), or start anew with `mlops models register`"
        )


def count_packages(root: Path) -> int:
    """Return the number of packages in the package store of the project at `root`."""
    return sum(_PACKAGE_NAME.fullmatch(path.name) is not None for path in (root / paths.PACKAGES).glob("*"))


def connect_to_project(root: Path, *, clock: Callable[[], int] = utc_now_us, starts_anew: bool = False) -> State:
    """Return the state database of any schema version, for code that migrates it; other code calls `open_state`.

    Raises
    ------
    ConfigError
        When the address is not valid.
    DatabaseMissing
        When the file is gone, although packages that it registered exist, unless `starts_anew`.
    """
    if not starts_anew:
        _require_state_file(root)
    return connect_to(
        os.environ.get(STATE_URL_ENV) or f"sqlite:///{root / paths.STATE_DATABASE}",
        setting_name=STATE_URL_ENV,
        clock=clock,
    )


def connect_to(address: str, *, setting_name: str, clock: Callable[[], int] = utc_now_us) -> State:
    """Return the state database of any schema version at an address; errors name `setting_name`.

    Raises
    ------
    ConfigError
        When the address is not valid.
    """
    engine = _create_engine(address, setting_name)
    watch_inserts(engine)
    if engine.dialect.name != "sqlite":
        return State(engine, clock)
    file = DatabaseFile(Path(str(engine.url.database)))
    file.watch(engine)
    return State(engine, clock, file)


def _create_engine(address: str, setting_name: str) -> Engine:
    try:
        url = make_url(address)
        kind = url.get_backend_name()
        if kind not in ("sqlite", "postgresql"):
            raise ConfigError(
                f"{setting_name}: {kind} is not supported as state database;"
                " expected sqlite:///FILE or postgresql://..."
            )
        if kind == "sqlite":
            return _create_sqlite_engine(address, url.database, setting_name)
        return create_engine(url.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
    except exc.ArgumentError as error:
        raise ConfigError(
            f"{setting_name}: the address is not valid; expected sqlite:///FILE or postgresql://USER@HOST/NAME"
        ) from error
    except ModuleNotFoundError as error:
        raise DependencyUnavailable(
            f"{setting_name}: {error.name} is not installed; run `pip install 'declarative-mlops[postgres]'`"
        ) from error


def _create_sqlite_engine(address: str, database: str | None, setting_name: str) -> Engine:
    if not database or database == ":memory:":
        raise ConfigError(
            f"{setting_name}: an in-memory state database is not supported;"
            f" use a file: sqlite:///{paths.STATE_DATABASE}"
        )
    return create_engine(address, connect_args={"timeout": _BUSY_TIMEOUT_S, "isolation_level": None})


def _close_returned(_connection: object, record: ConnectionPoolEntry) -> None:
    record.close()
