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
from pipeline.files import exclusive_lock

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["DATABASE_FILE", "RunStore", "StoreUnreachable", "suppress_warnings"]

DATABASE_FILE = "mlflow.db"
ARTIFACTS_FOLDER = "mlruns"

# A store that was found to be down is not asked again for so long: many calls must not wait one by one.
_RETRY_AFTER_S = 30
_CREDENTIALS = re.compile(r"//[^/\s@]*@")
# How MLflow's client says that a server wants an account, or another one.
_AUTH_ERROR = re.compile(r"error code 40[13]\b|not authenticated|Permission denied", re.IGNORECASE)
# What MLflow raises when the caller is wrong; everything else means that the store is not to be had.
_CALLER_ERROR_CODES = {
    "INVALID_PARAMETER_VALUE",
    "INVALID_STATE",
    "RESOURCE_ALREADY_EXISTS",
    "RESOURCE_DOES_NOT_EXIST",
    "PERMISSION_DENIED",
    "FEATURE_DISABLED",
}
# MLflow's pages open with what belongs to trained models, instead of asking what this is.
_EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
_MLFLOW_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


class StoreUnreachable(Exception):
    """The store does not answer; `str()` of it says why, in one line. Never leaves this package."""


@dataclass
class RunStore:
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
    _last_failure: tuple[float, str] | None = field(default=None, repr=False)
    _experiment_ids: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def address(self) -> str:
        """What MLflow is told: `sqlite:////...` or the server's address."""
        return self.uri if self.uri is not None else f"sqlite:///{self.root / DATABASE_FILE}"

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
        if self._last_failure is not None and time.monotonic() < self._last_failure[0]:
            raise StoreUnreachable(self._last_failure[1])
        if self._client is None:
            with self.translate_errors():
                self._client = self._open_client()
        return self._client

    def experiment_id(self, name: str) -> str:
        """Return the id of an experiment, which is made when there is none."""
        if name not in self._experiment_ids:
            client = self.client()
            with self.translate_errors():
                found = client.get_experiment_by_name(name)
                if found is not None and found.lifecycle_stage == "deleted":
                    raise UsageError(
                        f"experiment {name!r} is in MLflow's bin; restore it with `mlflow experiments restore"
                        f" --experiment-id {found.experiment_id}`, or choose another tracking.experiment"
                    )
                self._experiment_ids[name] = (
                    found.experiment_id if found is not None else self._create_experiment(client, name)
                )
        return self._experiment_ids[name]

    def _create_experiment(self, client: Any, name: str) -> str:
        from mlflow.exceptions import MlflowException

        try:
            where = None if self.is_server else (self.root / ARTIFACTS_FOLDER).resolve().as_uri()
            return str(client.create_experiment(name, artifact_location=where, tags=_EXPERIMENT_TAGS))
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
        with self.translate_errors():
            return Path(client.download_artifacts(run_id, path, str(folder)))

    @contextmanager
    def translate_errors(self) -> Iterator[None]:
        """Turn what MLflow raises inside the block into `UsageError` (our fault) or `Unreachable` (not ours)."""
        try:
            with suppress_warnings():
                yield
        except UsageError:
            raise
        except Exception as error:
            if getattr(error, "error_code", None) in _CALLER_ERROR_CODES:
                raise UsageError(f"MLflow refused this: {_error_summary(error)}") from error
            if not isinstance(error, StoreUnreachable) and not _is_store_failure(error):
                raise
            self._last_failure = (time.monotonic() + _RETRY_AFTER_S, _error_summary(error))
            raise StoreUnreachable(_error_summary(error)) from error

    def _open_client(self) -> Any:
        _configure_mlflow(self.timeout_s)
        if self.is_server:
            _probe_server(self.address, self.timeout_s)
        elif self.address.startswith("sqlite:///"):
            return self._open_sqlite_client(Path(self.address.removeprefix("sqlite:///")))
        return _make_client(self.address)

    def _open_sqlite_client(self, path: Path) -> Any:
        if _has_tables(path, self.timeout_s):
            return _make_client(self.address)
        path.parent.mkdir(parents=True, exist_ok=True)
        with exclusive_lock(path.with_name(f"{path.name}.lock"), operation=f"making {path.name}", wait_s=60):
            if not _has_tables(path, self.timeout_s):
                sys.stderr.write(f"Making the store of runs, {path.name} (once, a few seconds) ...\n")
            return _make_client(self.address)


@contextmanager
def suppress_warnings() -> Iterator[None]:
    """Keep to itself what MLflow and its own dependencies warn each other of; a user can do nothing about it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _make_client(address: str) -> Any:
    from mlflow.tracking.client import MlflowClient

    client = MlflowClient(address)
    client.search_experiments(max_results=1)
    return client


def _configure_mlflow(timeout_s: float) -> None:
    """Tell MLflow to send nothing about its users, to wait a bounded time, and to keep its log to itself."""
    for name, value in _MLFLOW_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = str(max(1, int(timeout_s)))
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _probe_server(address: str, timeout_s: float) -> None:
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
        raise StoreUnreachable(f"{bare} does not answer ({reason})") from error


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
        raise StoreUnreachable(f"{path} ({error})") from error
    return found is not None


def _is_store_failure(error: Exception) -> bool:
    family = type(error).__module__.partition(".")[0]
    return isinstance(error, OSError) or family in {"mlflow", "requests", "urllib3", "sqlalchemy", "alembic"}


def _error_summary(error: Exception) -> str:
    said = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
    if _AUTH_ERROR.search(said):
        said = f"{said[:160]} ...; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD to an account that may do this"
    return _CREDENTIALS.sub("//", said)
