"""Bring the tables of the state database up to date, in one transaction, after a backup."""

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

from pipeline.errors import Conflict, DependencyUnavailable
from pipeline.files import atomic_file

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from pipeline.state.database import State

__all__ = ["HEAD_REVISION", "SchemaRevision", "back_up_state", "ensure_schema", "schema_revision", "upgrade_schema"]

HEAD_REVISION = "0001"
_VERSION_TABLE = "mlops_schema"
_MIGRATIONS = Path(__file__).parent / "migrations"


@dataclass(frozen=True, slots=True)
class SchemaRevision:
    """The form of the tables: what the database has (None when it is empty), and what this program needs."""

    current: str | None
    head: str

    @property
    def is_current(self) -> bool:
        """Whether the tables are those that this program knows."""
        return self.current == self.head

    @property
    def is_newer(self) -> bool:
        """Whether a later program made them."""
        return self.current is not None and self.current > self.head


def schema_revision(state: State) -> SchemaRevision:
    """Return the form of the tables of a database."""
    with state.reading() as connection:
        return SchemaRevision(_current_revision(connection), HEAD_REVISION)


def ensure_schema(state: State) -> None:
    """Make the tables of an empty database, and refuse one whose tables are of another form.

    Raises
    ------
    Conflict
        When they are older or newer than this program.
    """
    known = schema_revision(state)
    if known.is_current:
        return
    if known.current is None:
        _migrate(state)
    elif known.is_newer:
        raise Conflict(_newer_schema_message(state, known))
    else:
        raise Conflict(
            f"{state.address}: its tables are of form {known.current} and this program needs {known.head};"
            " run `mlops state upgrade` (it makes a backup first)"
        )


def upgrade_schema(state: State, backups: Path) -> Path | None:
    """Bring the tables up to date and return the backup; None when there was nothing to do or to lose.

    The change is one transaction: a kill leaves the tables wholly old or wholly new.

    Raises
    ------
    Conflict
        When the tables are newer than this program.
    DependencyUnavailable
        When the backup cannot be made; nothing was changed then.
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
        f"{state.address}: its tables are of form {known.current}, newer than {known.head}, the newest that this"
        " program knows; nothing was changed. Use the version of the program that made them, or a later one."
    )


def _current_revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(_VERSION_TABLE):
        return None
    found = connection.execute(text(f"SELECT version_num FROM {_VERSION_TABLE}")).scalar()  # noqa: S608 - a constant  # nosec B608
    return None if found is None else str(found)


def _migrate(state: State, *, to: str = "head") -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    with state.writing() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, to)


def back_up_state(state: State, backups: Path) -> Path:
    """Copy the whole database into a new file below `backups` while others read and write, and return the file.

    A copy of the SQLite file, or what `pg_dump` writes.

    Raises
    ------
    DependencyUnavailable
        When there is nothing to copy, or the copy cannot be made; nothing was changed then.
    """
    found = schema_revision(state).current
    if found is None:
        raise DependencyUnavailable(f"{state.address}: has no tables of ours; there is nothing to back up")
    try:
        backups.mkdir(parents=True, exist_ok=True)
        if state.is_file:
            return _back_up_sqlite(Path(str(state.engine.url.database)), backups / f"state-{found}-{state.clock()}.db")
        return _back_up_postgresql(state, backups / f"state-{found}-{state.clock()}.sql")
    except OSError as error:
        raise DependencyUnavailable(
            f"{backups}: a backup cannot be made there ({error.strerror}); nothing was changed"
        ) from error


def _back_up_sqlite(source: Path, target: Path) -> Path:
    with (
        atomic_file(target) as temporary,
        closing(sqlite3.connect(source)) as original,
        closing(sqlite3.connect(temporary)) as copy,
    ):
        original.backup(copy)
    return target


def _back_up_postgresql(state: State, target: Path) -> Path:
    program = shutil.which("pg_dump")
    if program is None:
        raise DependencyUnavailable(
            f"{state.address}: a backup needs the program pg_dump, which is not here; install PostgreSQL's client"
            " programs; nothing was changed"
        )
    url = state.engine.url.set(drivername="postgresql", password=None).render_as_string()
    environment = {**os.environ, "PGPASSWORD": state.engine.url.password or os.environ.get("PGPASSWORD", "")}
    with atomic_file(target) as temporary:
        done = subprocess.run(  # noqa: S603 - no shell, our words
            [program, "--file", str(temporary), url], env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            reason = done.stderr.strip().partition("\n")[0]
            raise DependencyUnavailable(f"{state.address}: pg_dump refused ({reason}); nothing was changed")
    return target
