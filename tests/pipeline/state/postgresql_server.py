"""A real PostgreSQL server in a folder of its own, on loopback, as long as a block lasts."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from pipeline import state as store

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["find_server_programs", "new_database", "running_server", "stopped_server", "template_database"]

_DATABASE_NUMBERS = count(1)
_TEMPLATE_NAME = "prepared"
_SHARED_MEMORY, _MIN_FREE_BYTES = Path("/dev/shm"), 2 * 2**30


def find_server_programs() -> Path | None:
    """Return the folder of PostgreSQL's server programs; None where they are not installed."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    return folders[0].parent if folders else None


@contextmanager
def running_server(folder: Path, *, is_durable: bool = False) -> Iterator[str]:
    """Yield the address of a fresh server without databases of ours; it is stopped at the end.

    For benchmarks it may be durable: on a disk, each commit synced.
    """
    base = Path(tempfile.mkdtemp(prefix="mlops-postgres-", dir=None if is_durable else _memory_folder()))
    user = _server_user()
    if user is not None:
        shutil.chown(base, user)
    data, port = base / "data", _free_port()
    try:
        _run_command(user, folder / "initdb", "-D", data, "-U", "tester", "--auth", "trust", "--no-sync", "-E", "UTF8")
        lines = (
            "listen_addresses = '127.0.0.1'",
            f"port = {port}",
            f"unix_socket_directories = '{base}'",
            f"fsync = {'on' if is_durable else 'off'}",
        )
        with (data / "postgresql.conf").open("a", encoding="utf-8") as settings:
            settings.write("".join(f"{line}\n" for line in lines))
        _start_server(folder, data)
        try:
            yield f"postgresql://tester@127.0.0.1:{port}"
        finally:
            _stop_server(folder, data)
    finally:
        shutil.rmtree(base, ignore_errors=True)


def new_database(address: str, *, template: str = "template1") -> str:
    """Make a database on a server, a copy of another that nobody uses (empty otherwise), and return its address."""
    name = f"made_{next(_DATABASE_NUMBERS)}"
    _execute_sql(address, f"CREATE DATABASE {name} TEMPLATE {template}")
    return f"{address}/{name}"


def template_database(address: str) -> str:
    """Return the name of a database with our tables and without rows, for others to be copies of; it is made once."""
    if not _execute_sql(address, f"SELECT 1 FROM pg_database WHERE datname = '{_TEMPLATE_NAME}'"):
        _execute_sql(address, f"CREATE DATABASE {_TEMPLATE_NAME}")
        state = store.connect_to(f"{address}/{_TEMPLATE_NAME}", setting_name="the tests' server")
        store.upgrade_schema(state, Path())
        state.close()
    return _TEMPLATE_NAME


def _execute_sql(address: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(f"{address}/postgres", autocommit=True) as connection:
        done = connection.execute(statement.encode())
        return done.fetchall() if done.description else []


@contextmanager
def stopped_server(address: str) -> Iterator[None]:
    """Stop a server of ours at once, as a failure would, for as long as a block lasts; then start it again."""
    folder = find_server_programs()
    assert folder is not None
    with psycopg.connect(f"{address}/postgres") as connection:
        found = connection.execute("SHOW data_directory").fetchone()
    assert found is not None
    data = Path(found[0])
    _stop_server(folder, data)
    try:
        yield
    finally:
        _start_server(folder, data)


def _memory_folder() -> Path | None:
    """Return a folder in memory with room for many databases, of which each is 300 files; None where there is none."""
    is_there = _SHARED_MEMORY.is_dir() and shutil.disk_usage(_SHARED_MEMORY).free > _MIN_FREE_BYTES
    return _SHARED_MEMORY if is_there else None


def _server_user() -> str | None:
    """Return who runs the server, which refuses to run as root; None for whoever runs the tests."""
    return "postgres" if os.geteuid() == 0 else None


def _start_server(folder: Path, data: Path) -> None:
    _run_command(_server_user(), folder / "pg_ctl", "-D", data, "-w", "-l", data.parent / "log", "start")


def _stop_server(folder: Path, data: Path) -> None:
    _run_command(_server_user(), folder / "pg_ctl", "-D", data, "-m", "immediate", "stop")


def _run_command(user: str | None, *command: object) -> None:
    subprocess.run(
        [str(word) for word in command],
        user=user,
        cwd="/",
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
