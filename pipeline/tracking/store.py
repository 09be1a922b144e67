"""Reach the store of runs: an SQLite file in the project, or a server by address; say when it cannot be had."""

from __future__ import annotations

import logging
import os
import re
import sqlite3
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import warnings
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import UsageError
from pipeline.files import exclusive

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["DATABASE", "OUTBOX", "Store", "Unreachable", "find_root", "quiet"]

DATABASE = "mlflow.db"
ARTIFACTS = "mlruns"
OUTBOX = "state/outbox"

# A store that was found to be down is not asked again for so long: many calls must not wait one by one.
_REST_S = 30
_CREDENTIALS = re.compile(r"//[^/\s@]*@")
_MARKS = ("dvc.yaml", ".git")
# How MLflow's client says that a server wants an account, or another one.
_REFUSED = re.compile(r"error code 40[13]\b|not authenticated|Permission denied", re.IGNORECASE)
# What MLflow raises when the caller is wrong; everything else means that the store is not to be had.
_OURS = {
    "INVALID_PARAMETER_VALUE",
    "INVALID_STATE",
    "RESOURCE_ALREADY_EXISTS",
    "RESOURCE_DOES_NOT_EXIST",
    "PERMISSION_DENIED",
    "FEATURE_DISABLED",
}
# MLflow's pages open with what belongs to trained models, instead of asking what this is.
_KIND = {"mlflow.experimentKind": "custom_model_development"}
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


class Unreachable(Exception):
    """The store does not answer; `str()` of it says why, in one line. Never leaves this package."""


def find_root() -> Path:
    """Return the folder of the project: where DVC says, or the nearest folder above with a graph, or this one.

    DVC runs queued experiments in temporary copies and names the workspace in `DVC_ROOT`, so that their
    runs reach the same store.
    """
    named = os.environ.get("DVC_ROOT")
    if named and Path(named).is_dir():
        return Path(named).resolve()
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if any((folder / mark).exists() for mark in _MARKS)), here)


@dataclass
class Store:
    """One store of runs, opened at its first use.

    Parameters
    ----------
    root : Path
        Folder of the SQLite file and of the outbox.
    uri : str, optional
        MLflow's address of the store; the SQLite file below `root` when None.
    timeout_s : float
        How long one answer may take, in seconds, before the store counts as unreachable.
    """

    root: Path
    uri: str | None = None
    timeout_s: float = 10
    _client: Any = field(default=None, repr=False)
    _down: tuple[float, str] | None = field(default=None, repr=False)
    _experiments: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def address(self) -> str:
        """What MLflow is told: `sqlite:////...` or the server's address."""
        return self.uri if self.uri is not None else f"sqlite:///{self.root / DATABASE}"

    @property
    def is_server(self) -> bool:
        """Whether the store is reached over HTTP."""
        return self.address.startswith(("http://", "https://"))

    def client(self) -> Any:
        """Return MLflow's client.

        Raises
        ------
        Unreachable
            When the store does not answer in time.
        """
        if self._down is not None and time.monotonic() < self._down[0]:
            raise Unreachable(self._down[1])
        if self._client is None:
            with self.asking():
                self._client = self._open()
        return self._client

    def experiment_id(self, name: str) -> str:
        """Return the id of an experiment, which is made when there is none."""
        if name not in self._experiments:
            client = self.client()
            with self.asking():
                found = client.get_experiment_by_name(name)
                if found is not None and found.lifecycle_stage == "deleted":
                    raise UsageError(
                        f"experiment {name!r} is in MLflow's bin; restore it with `mlflow experiments restore"
                        f" --experiment-id {found.experiment_id}`, or choose another tracking.experiment"
                    )
                self._experiments[name] = found.experiment_id if found is not None else self._make(client, name)
        return self._experiments[name]

    def _make(self, client: Any, name: str) -> str:
        from mlflow.exceptions import MlflowException

        try:
            where = None if self.is_server else (self.root / ARTIFACTS).resolve().as_uri()
            return str(client.create_experiment(name, artifact_location=where, tags=_KIND))
        except MlflowException:
            # Another process made it in the meantime.
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
            return str(found.experiment_id)

    def download(self, run_id: str, path: str, folder: Path) -> Path:
        """Copy what a run keeps below `path` into `folder`, and return where it lies now.

        Raises
        ------
        Unreachable
            When the store does not answer.
        UsageError
            When there is no such run.
        """
        client = self.client()
        with self.asking():
            return Path(client.download_artifacts(run_id, path, str(folder)))

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Turn what MLflow raises inside the block into `UsageError` (our fault) or `Unreachable` (not ours)."""
        try:
            with quiet():
                yield
        except UsageError:
            raise
        except Exception as error:
            if getattr(error, "error_code", None) in _OURS:
                raise UsageError(f"MLflow refused this: {_first_line(error)}") from error
            if not isinstance(error, Unreachable) and not _is_about_the_store(error):
                raise
            self._down = (time.monotonic() + _REST_S, _first_line(error))
            raise Unreachable(_first_line(error)) from error

    def _open(self) -> Any:
        _quieten(self.timeout_s)
        if self.is_server:
            _knock(self.address, self.timeout_s)
        elif self.address.startswith("sqlite:///"):
            return self._open_file(Path(self.address.removeprefix("sqlite:///")))
        return _make_client(self.address)

    def _open_file(self, path: Path) -> Any:
        if _has_tables(path, self.timeout_s):
            return _make_client(self.address)
        path.parent.mkdir(parents=True, exist_ok=True)
        with exclusive(path.with_name(f"{path.name}.lock"), what=f"making {path.name}", wait_s=60):
            if not _has_tables(path, self.timeout_s):
                sys.stderr.write(f"Making the store of runs, {path.name} (once, a few seconds) ...\n")
            return _make_client(self.address)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep to itself what MLflow and its own dependencies warn each other of; a user can do nothing about it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _make_client(address: str) -> Any:
    from mlflow.tracking.client import MlflowClient

    client = MlflowClient(address)
    client.search_experiments(max_results=1)
    return client


def _quieten(timeout_s: float) -> None:
    """Tell MLflow to send nothing about its users, to wait a bounded time, and to keep its log to itself."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = str(max(1, int(timeout_s)))
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _knock(address: str, timeout_s: float) -> None:
    """Ask the server for its health: a dead one is known at once, before MLflow's own retries."""
    parts = urllib.parse.urlsplit(address)
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().rstrip("/")
    try:
        with urllib.request.urlopen(f"{bare}/health", timeout=timeout_s):  # noqa: S310 - http(s) by is_server  # nosec B310
            return
    except urllib.error.HTTPError:
        return  # It answers; whether it will have us is seen at the first call.
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise Unreachable(f"{bare} does not answer ({reason})") from error


def _has_tables(path: Path, timeout_s: float) -> bool:
    """Whether an SQLite file is a store of runs that can be written.

    MLflow would try a locked, read-only or broken file ten times with growing pauses.
    """
    if not path.exists():
        return False
    try:
        with closing(sqlite3.connect(path, timeout=timeout_s, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone()
            connection.execute("ROLLBACK")
    except sqlite3.Error as error:
        raise Unreachable(f"{path} ({error})") from error
    return found is not None


def _is_about_the_store(error: Exception) -> bool:
    family = type(error).__module__.partition(".")[0]
    return isinstance(error, OSError) or family in {"mlflow", "requests", "urllib3", "sqlalchemy", "alembic"}


def _first_line(error: Exception) -> str:
    said = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
    if _REFUSED.search(said):
        said = f"{said[:160]} ...; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD to an account that may do this"
    return _CREDENTIALS.sub("//", said)
