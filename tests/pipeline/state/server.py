"""A real PostgreSQL server in a folder of its own, on loopback, as long as a block lasts."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["programs", "running"]


def programs() -> Path | None:
    """Return the folder of PostgreSQL's server programs; None where they are not installed."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    return folders[0].parent if folders else None


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Yield the address of a fresh server without databases of ours; it is stopped at the end."""
    base = Path(tempfile.mkdtemp(prefix="mlops-postgres-"))
    user = "postgres" if os.geteuid() == 0 else None  # the server refuses to run as root
    if user is not None:
        shutil.chown(base, user)
    data, port = base / "data", _free_port()
    try:
        _run(user, folder / "initdb", "-D", data, "-U", "tester", "--auth", "trust", "--no-sync", "-E", "UTF8")
        options = f"-c listen_addresses=127.0.0.1 -p {port} -k {base} -c fsync=off"
        _run(user, folder / "pg_ctl", "-D", data, "-w", "-l", base / "log", "-o", options, "start")
        try:
            yield f"postgresql://tester@127.0.0.1:{port}"
        finally:
            _run(user, folder / "pg_ctl", "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(base, ignore_errors=True)


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
