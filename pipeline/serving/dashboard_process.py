"""Run the dashboard: alone (`mlops app`), or beside the API as a child process that ends with it."""

from __future__ import annotations

import argparse
import contextlib
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from pipeline.errors import DependencyUnavailable
from pipeline.production_status import API_URL_ENV
from pipeline.project.engine_files import app_folder

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["DashboardProcess", "run_dashboard"]

DEFAULT_PORT = 8501
_STOP_TIMEOUT_S = 5.0
_WILDCARD_HOSTS = ("", "0.0.0.0", "::")  # noqa: S104 - compared, not bound  # nosec B104


def run_dashboard(host: str | None = None, port: int | None = None) -> None:
    """Run the dashboard in this process until it is stopped; for the main thread.

    Parameters
    ----------
    host, port
        Where it listens; `app/.streamlit/config.toml` when None.

    Raises
    ------
    DependencyUnavailable
        When Streamlit is not installed.
    """
    _require_streamlit()
    options = {"server.address": host, "server.port": port}
    flags = [f"--{name}={value}" for name, value in options.items() if value is not None]
    sys.argv = ["streamlit", "run", str(app_folder() / "serve.py"), *flags]
    runpy.run_module("streamlit", run_name="__main__", alter_sys=True)


@dataclass(slots=True)
class DashboardProcess:
    """The dashboard as a child process of the API; its failure is logged once and does not end the API.

    The child ends when the API stops, also when it is killed: it reads a pipe that only the API has open.

    Parameters
    ----------
    root : Path
        Folder of the project.
    host : str
        Address to listen on; that of the API.
    logger : logger of structlog
    """

    root: Path
    host: str
    logger: Any
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _port: int = field(default=0, init=False)
    _is_stopping: bool = field(default=False, init=False)

    def start(self, api_address: str) -> None:
        """Start the child, which predicts through the API; without Streamlit, log what is missing."""
        try:
            _require_streamlit()
            self._port = _free_port(self.host)
            command = [sys.executable, "-m", "pipeline.serving.dashboard_process", self.host, str(self._port)]
            self._process = subprocess.Popen(  # noqa: S603 - our own module, without a shell
                command,
                cwd=self.root,
                env={**os.environ, API_URL_ENV: api_address},
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C reaches the API alone, which stops the child
            )
        except (DependencyUnavailable, OSError) as error:
            self.logger.warning("dashboard unavailable", reason=str(error))
            return
        threading.Thread(target=self._log_failure, name="dashboard", daemon=True).start()
        self.logger.info("dashboard", address=self.address(""), pid=self._process.pid)

    def address(self, requested_host: str) -> str | None:
        """Return the URL of the dashboard for a browser that reached the API by a host name; None while it is down."""
        if self._process is None or self._process.poll() is not None:
            return None
        host = (requested_host or "127.0.0.1") if self.host in _WILDCARD_HOSTS else self.host
        url_host = f"[{host}]" if ":" in host and not host.startswith("[") else host
        return f"http://{url_host}:{self._port}"

    def stop(self) -> None:
        """Stop the child, and wait for its end."""
        self._is_stopping = True
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()

    def _log_failure(self) -> None:
        if self._process is not None and (exit_code := self._process.wait()) is not None and not self._is_stopping:
            self.logger.warning(
                "dashboard ended",
                exit_code=exit_code,
                next_step="the API goes on; start the dashboard with `mlops app`",
            )


def _require_streamlit() -> None:
    if find_spec("streamlit") is None:
        raise DependencyUnavailable("Streamlit is not installed; run `pip install 'declarative-mlops[app]'`")


def _free_port(host: str) -> int:
    """Return the usual port of the dashboard if it is free, otherwise another one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in (DEFAULT_PORT, 0):
        with contextlib.suppress(OSError), socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            return int(probe.getsockname()[1])
    raise DependencyUnavailable(f"{host}: no port is free for the dashboard")


def _end_with_parent() -> None:
    """End this process when its standard input ends, as it does when the parent is gone."""
    with contextlib.suppress(OSError):
        while os.read(sys.stdin.fileno(), 1024):
            pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_STOP_TIMEOUT_S)
    os._exit(1)


def main() -> None:
    """Run the dashboard as the child of a server."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.serving.dashboard_process")
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    args = parser.parse_args()
    threading.Thread(target=_end_with_parent, name="parent-watch", daemon=True).start()
    run_dashboard(args.host, args.port)


if __name__ == "__main__":
    main()
