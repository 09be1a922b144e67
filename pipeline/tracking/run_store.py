"""Access the tracking store: an SQLite file in the project, or an MLflow server."""

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

# An unreachable store is not called again for this time, so that many calls do not each wait.
_RETRY_AFTER_S = 30
_CREDENTIALS = re.compile(r"//[^/\s@]*@")
# Errors of MLflow's client for missing or insufficient credentials.
_AUTH_ERROR = re.compile(r"error code 40[13]\b|not authenticated|Permission denied", re.IGNORECASE)
# Errors of MLflow that the caller caused; all others mean that the store is unreachable.
_CALLER_ERROR_CODES = {
    "INVALID_PARAMETER_VALUE",
    "INVALID_STATE",
    "RESOURCE_ALREADY_EXISTS",
    "RESOURCE_DOES_NOT_EXIST",
    "PERMISSION_DENIED",
    "FEATURE_DISABLED",
}
# MLflow's UI shows views for model training at once, without asking for the kind.
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
    """The store does not respond; the message is one line. Never leaves this package."""


@dataclass
class RunStore:
    """One tracking store, opened at first use.

    Parameters
    ----------
    root : Path
        Folder of the SQLite file and of the outbox.
    uri : str, optional
        MLflow's URI of the store; the SQLite file below `root` when None.
    timeout_s : float
        Timeout of one response in seconds; after it the store counts as unreachable.
    """

    root: Path
    uri: str | None = None
    timeout_s: float = 10
    _client: Any = field(default=None, repr=False)
    _last_failure: tuple[float, str] | None = field(default=None, repr=False)
    _experiment_ids: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def address(self) -> str:
        """URI for MLflow: `sqlite:////...` or that of the server."""
        return self.uri if self.uri is not None else f"sqlite:///{self.root / DATABASE_FILE}"

    @property
    def is_server(self) -> bool:
        """Whether the store is an HTTP server."""
        return self.address.startswith(("http://", "https://"))

    def client(self) -> Any:
        """Return MLflow's client.

        Raises
        ------
        StoreUnreachable
            When the store does not respond in time.
        """
        if self._last_failure is not None and time.monotonic() < self._last_failure[0]:
            raise StoreUnreachable(self._last_failure[1])
        if self._client is None:
            with self.translate_errors():
                self._client = self._open_client()
        return self._client

    def probe(self) -> bool | None:
        """Return whether the store exists, without MLflow; None for an address that only MLflow can open.

        Raises
        ------
        StoreUnreachable
            When the store exists and does not respond in time.
        """
        if self.is_server:
            _probe_server(self.address, self.timeout_s)
            return True
        if self.address.startswith("sqlite:///"):
            return _has_tables(Path(self.address.removeprefix("sqlite:///")), self.timeout_s)
        return None

    @property
    def display_address(self) -> str:
        """The address without credentials."""
        return _CREDENTIALS.sub("//", self.address)

    def experiment_id(self, name: str) -> str:
        """Return the id of an experiment; create it if it does not exist."""
        if name not in self._experiment_ids:
            client = self.client()
            with self.translate_errors():
                experiment = client.get_experiment_by_name(name)
                if experiment is not None and experiment.lifecycle_stage == "deleted":
                    raise UsageError(
                        f"experiment {name!r} is deleted in MLflow; restore it with `mlflow experiments restore"
                        f" --experiment-id {experiment.experiment_id}`, or choose another tracking.experiment"
                    )
                self._experiment_ids[name] = (
                    experiment.experiment_id if experiment is not None else self._create_experiment(client, name)
                )
        return self._experiment_ids[name]

    def _create_experiment(self, client: Any, name: str) -> str:
        from mlflow.exceptions import MlflowException

        try:
            artifact_location = None if self.is_server else (self.root / ARTIFACTS_FOLDER).resolve().as_uri()
            return str(client.create_experiment(name, artifact_location=artifact_location, tags=_EXPERIMENT_TAGS))
        except MlflowException:
            # Another process created it meanwhile.
            experiment = client.get_experiment_by_name(name)
            if experiment is None:
                raise
            return str(experiment.experiment_id)

    def download(self, run_id: str, path: str, folder: Path) -> Path:
        """Download the artifacts of a run below `path` into `folder`, and return their path.

        Raises
        ------
        StoreUnreachable
            When the store does not respond.
        UsageError
            When the run does not exist.
        """
        client = self.client()
        with self.translate_errors():
            from mlflow.artifacts import download_artifacts

            client.get_run(run_id)
            # MLflow's client alone does not find the files of the run's models.
            return Path(
                download_artifacts(run_id=run_id, artifact_path=path, dst_path=str(folder), tracking_uri=self.address)
            )

    @contextmanager
    def translate_errors(self) -> Iterator[None]:
        """Convert errors of MLflow inside the block to `UsageError` (caller) or `StoreUnreachable` (store)."""
        try:
            with suppress_warnings():
                yield
        except UsageError:
            raise
        except Exception as error:
            if getattr(error, "error_code", None) in _CALLER_ERROR_CODES:
                raise UsageError(f"MLflow rejected the request: {_error_summary(error)}") from error
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
        with exclusive_lock(path.with_name(f"{path.name}.lock"), operation=f"creating {path.name}", wait_s=60):
            if not _has_tables(path, self.timeout_s):
                sys.stderr.write(f"Creating {path.name} (first run only) ...\n")
            return _make_client(self.address)


@contextmanager
def suppress_warnings() -> Iterator[None]:
    """Ignore warnings of MLflow and its dependencies, which users cannot act on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _make_client(address: str) -> Any:
    from mlflow.tracking.client import MlflowClient

    client = MlflowClient(address)
    client.search_experiments(max_results=1)
    return client


def _configure_mlflow(timeout_s: float) -> None:
    """Configure MLflow: no telemetry, bounded timeouts, and no log output."""
    for name, value in _MLFLOW_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = str(max(1, int(timeout_s)))
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _probe_server(address: str, timeout_s: float) -> None:
    """Check the health of the server, to detect a dead one at once, before MLflow's own retries."""
    parts = urllib.parse.urlsplit(address)
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().rstrip("/")
    try:
        # The scheme is http or https, by `is_server`.
        with urllib.request.urlopen(f"{bare}/health", timeout=timeout_s):  # noqa: S310  # nosec B310
            return
    except urllib.error.HTTPError:
        return  # It responds; the first call shows whether it accepts the credentials.
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise StoreUnreachable(f"{bare} does not respond ({reason})") from error


def _has_tables(path: Path, timeout_s: float) -> bool:
    """Return whether an SQLite file is a writable tracking store.

    MLflow would retry a locked, read-only or damaged file ten times with growing delays.
    """
    if not path.exists():
        return False
    try:
        with closing(sqlite3.connect(path, timeout=timeout_s, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            row = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone()
            connection.execute("ROLLBACK")
    except sqlite3.Error as error:
        raise StoreUnreachable(f"{path} ({error})") from error
    return row is not None


def _is_store_failure(error: Exception) -> bool:
    family = type(error).__module__.partition(".")[0]
    return isinstance(error, OSError) or family in {"mlflow", "requests", "urllib3", "sqlalchemy", "alembic"}


def _error_summary(error: Exception) -> str:
    summary = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
    if _AUTH_ERROR.search(summary):
        summary = (
            f"{summary[:160]} ...; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD to an account with access"
        )
    return _CREDENTIALS.sub("//", summary)
