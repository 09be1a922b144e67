"""Open the state database with a current schema; migrate it in one transaction after a backup."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from pipeline.errors import Conflict, DependencyUnavailable, NotAllowed
from pipeline.files import atomic_file, make_private_folder
from pipeline.state.database import State, connect_to_project, refuse_new_database, utc_now_us
from pipeline.state.database_file import close_on_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

__all__ = [
    "HEAD_REVISION",
    "SchemaRevision",
    "back_up_state",
    "ensure_schema",
    "open_state",
    "schema_revision",
    "upgrade_schema",
]

HEAD_REVISION = "0001"
_VERSION_TABLE = "mlops_schema"
_MIGRATIONS = Path(__file__).parent / "migrations"


@dataclass(frozen=True, slots=True)
class SchemaRevision:
    """The schema version of a database (None when it is empty), and the version that this program needs."""

    current: str | None
    head: str

    @property
    def is_current(self) -> bool:
        """Whether the database has the version that this program needs."""
        return self.current == self.head

    @property
    def is_newer(self) -> bool:
        """Whether a later program created the tables."""
        return self.current is not None and self.current > self.head


def open_state(root: Path, *, clock: Callable[[], int] = utc_now_us, starts_anew: bool = False) -> State:
    """Return the state database of the project at `root`: by `MLOPS_STATE_URL`, otherwise a file below `state/`.

    An empty database gets its tables at the first use; beside registered packages only if `starts_anew`.

    Raises
    ------
    ConfigError
        When the address is not valid.
    Conflict
        When the schema is older than this program needs (run `mlops state upgrade`), or newer.
    DependencyUnavailable
        When the database is unavailable; DatabaseMissing when its file is gone, although registered packages exist.
    """
    state = connect_to_project(root, clock=clock, starts_anew=starts_anew)
    with close_on_error(state):
        if not starts_anew and schema_revision(state).current is None:
            refuse_new_database(root)
        ensure_schema(state)
    return state


def schema_revision(state: State) -> SchemaRevision:
    """Return the schema version of a database."""
    with state.reading() as connection:
        return SchemaRevision(_current_revision(connection), HEAD_REVISION)


def ensure_schema(state: State) -> None:
    """Create the tables of an empty database; refuse a database of another schema version.

    Raises
    ------
    Conflict
        When the schema is older or newer than this program needs.
    """
    known = schema_revision(state)
    if known.is_current:
        return
    if known.current is None:
        _create_tables(state)
    elif known.is_newer:
        raise Conflict(_newer_schema_message(state, known))
    else:
        raise Conflict(
            f"{state.address}: the schema version is {known.current}, this program needs {known.head};"
            " run `mlops state upgrade` (it makes a backup first)"
        )


def _create_tables(state: State) -> None:
    try:
        _migrate(state)
    except NotAllowed as error:
        raise NotAllowed(
            f"{state.address}: the database has no tables, and the account {state.engine.url.username} may not create"
            " them; run `mlops state upgrade`, then `mlops state grant --apply`, as the account that is to own them"
        ) from error


def upgrade_schema(state: State, backups: Path) -> Path | None:
    """Migrate the tables to the current schema version and return the backup; None for a current or empty database.

    The migration is one transaction: after a kill the tables are completely old or completely new.

    Raises
    ------
    Conflict
        When the schema is newer than this program needs.
    DependencyUnavailable
        When the backup fails; nothing is changed then.
    """
    known = schema_revision(state)
    if known.is_current:
        return None
    if known.is_newer:
        raise Conflict(_newer_schema_message(state, known))
    backup = None if known.current is None else back_up_state(state, backups)
    _migrate(state)
    return backup


def _newer_schema_message(state: State, known: SchemaRevision) -> str:
    return (
        f"{state.address}: the schema version is {known.current}, newer than {known.head}, the newest of this"
        " program; nothing was changed. Use the program version that created the tables, or a later one."
    )


def _current_revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(_VERSION_TABLE):
        return None
    query = text(f"SELECT version_num FROM {_VERSION_TABLE}")  # noqa: S608 - a constant  # nosec B608
    revision = connection.execute(query).scalar()
    return None if revision is None else str(revision)


def _migrate(state: State, *, to: str = "head") -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    with state.writing() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, to)


def back_up_state(state: State, backups: Path) -> Path:
    """Back up the database into a new file below `backups` while others read and write, and return the file.

    The file is a copy of the SQLite file, or a dump of `pg_dump`.

    Raises
    ------
    DependencyUnavailable
        When the database is empty, or the backup fails; nothing is changed then.
    """
    revision = schema_revision(state).current
    if revision is None:
        raise DependencyUnavailable(f"{state.address}: the database is empty; there is nothing to back up")
    try:
        make_private_folder(backups)
        if state.is_file:
            return _back_up_sqlite(
                Path(str(state.engine.url.database)), backups / f"state-{revision}-{state.clock()}.db"
            )
        return _back_up_postgresql(state, backups / f"state-{revision}-{state.clock()}.sql")
    except OSError as error:
        raise DependencyUnavailable(f"{backups}: the backup failed ({error.strerror}); nothing was changed") from error


def _back_up_sqlite(source: Path, target: Path) -> Path:
    with (
        atomic_file(target, is_private=True) as temporary,
        closing(sqlite3.connect(source)) as original,
        closing(sqlite3.connect(temporary)) as copy,
    ):
        original.backup(copy)
    return target


def _back_up_postgresql(state: State, target: Path) -> Path:
    program = shutil.which("pg_dump")
    if program is None:
        raise DependencyUnavailable(
            f"{state.address}: the backup needs pg_dump, which is not installed; install PostgreSQL's client"
            " programs; nothing was changed"
        )
    url = state.engine.url.set(drivername="postgresql", password=None).render_as_string()
    environment = {**os.environ, "PGPASSWORD": state.engine.url.password or os.environ.get("PGPASSWORD", "")}
    with atomic_file(target, is_private=True) as temporary:
        process = subprocess.run(  # noqa: S603 - no shell, fixed arguments
            [program, "--file", str(temporary), url], env=environment, capture_output=True, text=True, check=False
        )
        if process.returncode != 0:
            reason = process.stderr.strip().partition("\n")[0]
            raise DependencyUnavailable(f"{state.address}: pg_dump failed ({reason}); nothing was changed")
    return target
