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

__all__ = ["away", "new_database", "prepared", "programs", "running"]

_NUMBERS = count(1)
_PREPARED = "prepared"
_MEMORY, _ROOM = Path("/dev/shm"), 2 * 2**30


def programs() -> Path | None:
    """Return the folder of PostgreSQL's server programs; None where they are not installed."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    return folders[0].parent if folders else None


@contextmanager
def running(folder: Path, *, is_durable: bool = False) -> Iterator[str]:
    """Yield the address of a fresh server without databases of ours; it is stopped at the end.

    For benchmarks it may be durable: on a disk, each commit synced.
    """
    base = Path(tempfile.mkdtemp(prefix="mlops-postgres-", dir=None if is_durable else _memory()))
    user = _user()
    if user is not None:
        shutil.chown(base, user)
    data, port = base / "data", _free_port()
    try:
        _run(user, folder / "initdb", "-D", data, "-U", "tester", "--auth", "trust", "--no-sync", "-E", "UTF8")
        lines = (
            "listen_addresses = '127.0.0.1'",
            f"port = {port}",
            f"unix_socket_directories = '{base}'",
            f"fsync = {'on' if is_durable else 'off'}",
        )
        with (data / "postgresql.conf").open("a", encoding="utf-8") as settings:
            settings.write("".join(f"{line}\n" for line in lines))
        _start(folder, data)
        try:
            yield f"postgresql://tester@127.0.0.1:{port}"
        finally:
            _stop(folder, data)
    finally:
        shutil.rmtree(base, ignore_errors=True)


def new_database(address: str, *, like: str = "template1") -> str:
    """Make a database on a server, a copy of another that nobody uses (empty otherwise), and return its address."""
    name = f"made_{next(_NUMBERS)}"
    _sql(address, f"CREATE DATABASE {name} TEMPLATE {like}")
    return f"{address}/{name}"


def prepared(address: str) -> str:
    """Return the name of a database with our tables and without rows, for others to be copies of; it is made once."""
    if not _sql(address, f"SELECT 1 FROM pg_database WHERE datname = '{_PREPARED}'"):
        _sql(address, f"CREATE DATABASE {_PREPARED}")
        state = store.connect_to(f"{address}/{_PREPARED}", named="the tests' server")
        store.upgrade(state, Path())
        state.close()
    return _PREPARED


def _sql(address: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(f"{address}/postgres", autocommit=True) as connection:
        done = connection.execute(statement.encode())
        return done.fetchall() if done.description else []


@contextmanager
def away(address: str) -> Iterator[None]:
    """Stop a server of ours at once, as a failure would, for as long as a block lasts; then start it again."""
    folder = programs()
    assert folder is not None
    with psycopg.connect(f"{address}/postgres") as connection:
        found = connection.execute("SHOW data_directory").fetchone()
    assert found is not None
    data = Path(found[0])
    _stop(folder, data)
    try:
        yield
    finally:
        _start(folder, data)


def _memory() -> Path | None:
    """Return a folder in memory with room for many databases, of which each is 300 files; None where there is none."""
    is_there = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM
    return _MEMORY if is_there else None


def _user() -> str | None:
    """Return who runs the server, which refuses to run as root; None for whoever runs the tests."""
    return "postgres" if os.geteuid() == 0 else None


def _start(folder: Path, data: Path) -> None:
    _run(_user(), folder / "pg_ctl", "-D", data, "-w", "-l", data.parent / "log", "start")


def _stop(folder: Path, data: Path) -> None:
    _run(_user(), folder / "pg_ctl", "-D", data, "-m", "immediate", "stop")


def _run(user: str | None, *command: object) -> None:
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
