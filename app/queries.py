"""Read what pages show, through pipeline; the only place that caches.

What comes from a file is kept until the file changes, what comes from MLflow for some seconds, packages by their
digest, the state database and the engine as long as the process lives. What is live is never kept.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import streamlit as st

from app import login
from app.api_client import API_URL_ENV, ApiClient
from app.engine_client import EngineClient
from pipeline import state as store
from pipeline.config.composition import compose
from pipeline.config.config_loader import load_params
from pipeline.data.scoring_file import ScoringRows, read_scoring_file
from pipeline.errors import DataError, MlopsError
from pipeline.files import read_json
from pipeline.package import PackageStore
from pipeline.project import paths
from pipeline.project.root import find_project_root
from pipeline.registry import registry_of
from pipeline.state.database import State
from pipeline.tracking.projection import logged_params
from pipeline.tracking.publish import make_tracker
from pipeline.tracking.run_search import require_store
from pipeline.tracking.run_store import DATABASE_FILE as MLFLOW_DATABASE

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from pipeline.config.composition import Composition, Origin
    from pipeline.config.root_config import Config
    from pipeline.package import Package
    from pipeline.registry import ModelRegistry
    from pipeline.state import AuditEntry, Deployment, LoggedPrediction, ModelVersion, PredictionQuery
    from pipeline.tracking.run_search import RecordedRun

__all__ = [
    "VersionEvaluation",
    "api_address",
    "audit_entries",
    "cached",
    "composition",
    "config",
    "count_logged_predictions",
    "current_deployment",
    "current_user",
    "displayed_params",
    "engine",
    "evaluation_of",
    "evaluation_of_run",
    "find_package_run",
    "has_state",
    "load_package",
    "load_report",
    "logged_predictions",
    "mlflow_address",
    "preload_production",
    "preload_slow_queries",
    "project_root",
    "registry",
    "runs",
    "scoring_rows",
    "state",
    "versions",
]

FileStamp = tuple[int, int]
_P = ParamSpec("_P")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class VersionEvaluation:
    """What was found on the test rows of one version: its report, and the curves by the name of their file."""

    report: dict[str, Any]
    curves: dict[str, pd.DataFrame]


def project_root() -> Path:
    """Return the project's folder."""
    return find_project_root().resolve()


def _stamp(path: Path) -> FileStamp:
    """Return what tells one state of a file from the next; zeros where there is no file."""
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_size)


def config() -> Config:
    """Return the composed settings; DataError while nothing was composed yet."""
    path = project_root() / paths.PARAMS
    if not path.exists():
        raise DataError(f"{paths.PARAMS}: not there yet; run `make run` in the project's folder, then look here again")
    return _cached_config(str(path), _stamp(path))


@st.cache_resource(max_entries=8, show_spinner=False)
def _cached_config(path: str, stamp: FileStamp) -> Config:  # noqa: ARG001 - a new stamp is a new entry
    return load_params(Path(path))


def load_report(path: Path) -> dict[str, Any]:
    """Return a report of the graph; DataError where there is none yet."""
    full = project_root() / path
    if not full.exists():
        raise DataError(f"{path}: not there yet; run `make run`, which makes it")
    found: dict[str, Any] = _cached_json(str(full), _stamp(full))
    return found


@st.cache_data(max_entries=32, show_spinner=False)
def _cached_json(path: str, stamp: FileStamp) -> Any:  # noqa: ARG001 - a new stamp is a new entry
    return read_json(Path(path))


def has_state() -> bool:
    """Return whether there is a state database; one is made when something is registered."""
    return bool(os.environ.get(store.URL_ENV)) or (project_root() / paths.STATE_DATABASE).exists()


def state() -> State:
    """Return the state database, open as long as the process lives."""
    return _cached_state(
        str(project_root()), os.environ.get(store.URL_ENV), _inode(project_root() / paths.STATE_DATABASE)
    )


def _inode(path: Path) -> int:
    return path.stat().st_ino if path.exists() else 0


@st.cache_resource(max_entries=4, show_spinner=False, on_release=State.close)
def _cached_state(folder: str, url: str | None, inode: int) -> State:  # noqa: ARG001 - another file is another entry
    return store.open_state(Path(folder))


def current_user() -> login.User:
    """Return who reads in this session."""
    return login.user_of_session(config().serving.oidc.roles_claim)


def registry() -> ModelRegistry:
    """Return the registry, through which decisions of this session's reader go."""
    return registry_of(config().tracking, project_root(), actor=current_user().id)


def versions(model: str) -> list[ModelVersion]:
    """Return the versions of a model, oldest first; none while nothing was registered."""
    if not has_state():
        return []
    with state().reading() as connection:
        return store.read_versions(connection, model)


def current_deployment(model: str) -> Deployment:
    """Return what serves of a model."""
    if not has_state():
        return store.Deployment(model, 0, {}, {})
    with state().reading() as connection:
        return store.current_deployment(connection, model)


def audit_entries(model: str, *, limit: int | None = None) -> list[AuditEntry]:
    """Return the last `limit` entries of the audit trail, newest first."""
    if not has_state():
        return []
    with state().reading() as connection:
        return list(reversed(store.read_audit_entries(connection, model=model, limit=limit)))


def logged_predictions(search: PredictionQuery, *, limit: int, offset: int) -> list[LoggedPrediction]:
    """Return a page of the prediction log, newest first."""
    if not has_state():
        return []
    with state().reading() as connection:
        return store.search_predictions(connection, search, limit=limit, offset=offset)


def count_logged_predictions(search: PredictionQuery, *, max_count: int) -> int:
    """Return how many predictions a search finds, counted up to `at_most`."""
    if not has_state():
        return 0
    with state().reading() as connection:
        return store.count_predictions(connection, search, max_count=max_count)


def load_package(digest: str) -> Package:
    """Return a registered package; it never changes, so it is read once."""
    return _cached_package(str(project_root() / paths.PACKAGES), digest)


@st.cache_resource(max_entries=8, show_spinner="Loading the model ...")
def _cached_package(folder: str, digest: str) -> Package:
    return PackageStore(Path(folder)).load(digest)


def preload_production() -> None:
    """Load what serves, so that the first reader does not wait for it; what fails is told on the page that needs it."""
    with suppress(MlopsError):
        digest = current_deployment(config().name).digests.get("Production")
        if digest is not None:
            load_package(digest)
    with suppress(MlopsError):
        engine()


def preload_slow_queries() -> None:
    """Load what takes long and only some pages need: the runs of MLflow, and conf/ as it composes."""
    with suppress(MlopsError):
        runs()
    with suppress(MlopsError):
        composition()


def cached(ttl_s: float, *, spinner: str | bool) -> Callable[[Callable[_P, _T]], Callable[_P, _T]]:
    """Return a decorator that keeps plain values for some seconds; `said` stands on the page while they are read."""
    return st.cache_data(ttl=ttl_s, max_entries=32, show_spinner=spinner)


def api_address() -> str | None:
    """Return the address of the HTTP API that answers; None where an engine of this process does."""
    return os.environ.get(API_URL_ENV) or None


def engine() -> EngineClient | ApiClient:
    """Return what answers and logs: the HTTP API where an address is given, otherwise the engine of this process."""
    address = api_address()
    if address is not None:
        return ApiClient(address, login.api_token(), config().serving.engine.max_rows)
    if not has_state():
        raise DataError("no model is registered yet; run `make run`: the first one that passes its gates serves")
    params = project_root() / paths.PARAMS
    config()
    return _cached_engine(
        str(project_root()),
        _stamp(params),
        os.environ.get(store.URL_ENV),
        _inode(project_root() / paths.STATE_DATABASE),
    )


@st.cache_resource(max_entries=1, show_spinner="Starting the engine ...", on_release=EngineClient.close)
def _cached_engine(folder: str, stamp: FileStamp, url: str | None, inode: int) -> EngineClient:  # noqa: ARG001 - what changed starts a new one
    return EngineClient(Path(folder), load_params(Path(folder) / paths.PARAMS))


@st.cache_resource(max_entries=2, scope="session", show_spinner="Reading the file ...")
def scoring_rows(name: str, content: bytes, digest: str) -> ScoringRows:
    """Return the rows of an uploaded CSV or Parquet file as the package `digest` wants them, or its problems."""
    ending = ".parquet" if name.lower().endswith(".parquet") else ".csv"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"upload{ending}"
        path.write_bytes(content)
        return read_scoring_file(path, load_package(digest).schema, config().data.csv_dialect)


def composition() -> tuple[Composition, tuple[Origin, ...]]:
    """Return conf/ as it composes now, with the origin of each value.

    Raises
    ------
    ConfigError
        Naming file and key where conf/ is broken.
    """
    folder = project_root() / paths.CONF
    if not folder.is_dir():
        raise DataError(f"{paths.CONF}/: no such folder here; start the app in the project's folder")
    stamps = tuple((str(one), _stamp(one)) for one in sorted(folder.rglob("*.yaml")))
    return _cached_composition(str(folder), stamps)


@st.cache_resource(max_entries=4, show_spinner="Composing conf/ ...")
def _cached_composition(
    folder: str,
    stamps: tuple[tuple[str, FileStamp], ...],  # noqa: ARG001 - a part of the cache key
) -> tuple[Composition, tuple[Origin, ...]]:
    composed = compose(conf=Path(folder))
    return composed, composed.origin()


def displayed_params(values: dict[str, Any]) -> dict[str, Any]:
    """Return those of the composed values that results depend on, as MLflow shows them."""
    return logged_params(values)


def mlflow_address() -> str | None:
    """Return the address of an MLflow server; None where runs lie in the project's file."""
    found = os.environ.get(config().tracking.uri_env)
    return found if found and found.startswith(("http://", "https://")) else None


def runs() -> list[RecordedRun]:
    """Return the runs of the experiment, newest first; DependencyUnavailable when MLflow cannot be had."""
    uri = os.environ.get(config().tracking.uri_env)
    database = project_root() / MLFLOW_DATABASE
    if not uri and not database.exists():
        raise DataError("no run is recorded yet; run `make run`, or a sweep, and look here again")
    return _cached_runs(
        str(project_root()), uri, _stamp(database), _stamp(database.with_name(f"{MLFLOW_DATABASE}-wal"))
    )


@st.cache_data(ttl=15, max_entries=8, show_spinner="Asking MLflow ...")
def _cached_runs(folder: str, uri: str | None, stamp: FileStamp, wal: FileStamp) -> list[RecordedRun]:  # noqa: ARG001 - as above
    return make_tracker(load_params(Path(folder) / paths.PARAMS).tracking, Path(folder)).search_runs()


def find_package_run(digest: str) -> RecordedRun | None:
    """Return the run that recorded a package; None where MLflow has none or cannot be had."""
    try:
        return next((run for run in runs() if run.tags.get("mlops.package") == digest), None)
    except MlopsError:
        return None


@st.cache_resource(max_entries=16, show_spinner="Fetching the evaluation from MLflow ...")
def _cached_run_evaluation(folder: str, uri: str | None, run_id: str) -> VersionEvaluation:  # noqa: ARG001 - another store is another entry
    tracking = make_tracker(load_params(Path(folder) / paths.PARAMS).tracking, Path(folder)).store
    with tempfile.TemporaryDirectory() as target, require_store():
        found = tracking.download(run_id, str(paths.EVALUATION_REPORT), Path(target))
        curves = tracking.download(run_id, str(paths.PLOTS), Path(target))
        return VersionEvaluation(read_json(found), _read_curves(curves))


def evaluation_of_run(run_id: str) -> VersionEvaluation:
    """Return what a run found on the test rows, as it recorded it; a MlopsError where it recorded none."""
    return _cached_run_evaluation(str(project_root()), os.environ.get(config().tracking.uri_env), run_id)


def evaluation_of(digest: str) -> VersionEvaluation | None:
    """Return what was found on the test rows of a package: from the last run's files, otherwise from its MLflow run."""
    if (project_root() / paths.EVALUATION_REPORT).exists():
        found = load_report(paths.EVALUATION_REPORT)
        if found["package"] == digest:
            return VersionEvaluation(found, _read_curves(project_root() / paths.PLOTS))
    try:
        return _cached_package_evaluation(str(project_root()), os.environ.get(config().tracking.uri_env), digest)
    except MlopsError:
        return None


@st.cache_resource(max_entries=16, show_spinner="Fetching the evaluation from MLflow ...")
def _cached_package_evaluation(folder: str, uri: str | None, digest: str) -> VersionEvaluation:  # noqa: ARG001 - another store is another entry
    """Return what the run of a package recorded; it never changes, so it is fetched once."""
    run = find_package_run(digest)
    if run is None:
        raise DataError(f"MLflow has no run of the package {digest[:12]}")
    return evaluation_of_run(run.run_id)


def _read_curves(folder: Path) -> dict[str, pd.DataFrame]:
    import pandas as pd

    return {path.stem: pd.read_csv(path) for path in sorted(folder.glob("*.csv"))}
