"""Read the data of the pages through the pipeline package; the only module of the app that caches.

Data of a file is cached until the file changes, data of MLflow for some seconds, packages by digest, the state
database and the engine for the life of the process. Live data is never cached.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import streamlit as st

from pipeline import state as store
from pipeline.config.composition import compose
from pipeline.config.conf_sources import find_conf_sources
from pipeline.config.config_loader import load_params
from pipeline.config.file_formats import file_format
from pipeline.config.groups.source_config import CsvDialect
from pipeline.data.scoring_file import ScoringRows, read_scoring_file
from pipeline.errors import DataError, MlopsError
from pipeline.files import read_json
from pipeline.package import PackageStore
from pipeline.production_status import API_URL_ENV, StatusObservations
from pipeline.project import paths
from pipeline.registry import open_model_registry
from pipeline.serving.prediction_explainer import PredictionExplainer
from pipeline.state.database import State
from pipeline.tracking.run_publication import make_tracker
from pipeline.tracking.run_search import require_store
from pipeline.tracking.run_store import DATABASE_FILE as MLFLOW_DATABASE

from . import demo_mode, login
from .page_queries.api_client import ApiClient
from .page_queries.engine_client import EngineClient
from .page_queries.version_evaluation import VersionEvaluation

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.config.composition import Composition, Origin
    from pipeline.config.root_config import Config
    from pipeline.package import Package
    from pipeline.registry import ModelRegistry
    from pipeline.state import AuditEntry, Deployment, ModelVersion
    from pipeline.tracking.run_search import RecordedRun

__all__ = [
    "api_address",
    "audit_entries",
    "cached",
    "composition",
    "config",
    "current_deployment",
    "current_user",
    "engine",
    "file_stamp",
    "find_package",
    "find_package_evaluation",
    "find_package_run",
    "has_state",
    "load_package",
    "load_report",
    "load_run_evaluation",
    "mlflow_address",
    "prediction_explainer",
    "preload_production",
    "preload_slow_queries",
    "project_root",
    "registry",
    "runs",
    "scoring_rows",
    "state",
    "status_observations",
    "versions",
]

FileStamp = tuple[int, int]
_P = ParamSpec("_P")
_T = TypeVar("_T")


def project_root() -> Path:
    """Return the folder of the project, or of its demo if this session shows it."""
    return demo_mode.project_root()


def file_stamp(path: Path) -> FileStamp:
    """Return modification time and size, which change with the file; zeros if there is no file."""
    try:
        status = path.stat()
    except OSError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)


def config() -> Config:
    """Return the composed settings; DataError before the first run."""
    path = project_root() / paths.PARAMS
    if not path.exists():
        raise DataError(f"{paths.PARAMS}: does not exist yet; run `make run`, then reload this page")
    return _cached_config(str(path), file_stamp(path))


@st.cache_resource(max_entries=8, show_spinner=False)
def _cached_config(path: str, stamp: FileStamp) -> Config:  # noqa: ARG001 - a new stamp is a new entry
    return load_params(Path(path))


def load_report(path: Path) -> dict[str, Any]:
    """Return a report of a stage; DataError before its first run."""
    full = project_root() / path
    if not full.exists():
        raise DataError(f"{path}: does not exist yet; run `make run` to create it")
    report: dict[str, Any] = _cached_json(str(full), file_stamp(full))
    return report


@st.cache_data(max_entries=32, show_spinner=False)
def _cached_json(path: str, stamp: FileStamp) -> Any:  # noqa: ARG001 - a new stamp is a new entry
    return read_json(Path(path))


def has_state() -> bool:
    """Return whether a state database exists; DatabaseMissing if it is gone, although registered packages exist."""
    return store.state_exists(project_root())


def production_step(model: str) -> str:
    """Return what to do if no version is in Production: register the candidate, or promote a version."""
    return "promote a version on the page Models" if versions(model) else store.register_hint(project_root())


def state() -> State:
    """Return the state database, open for the life of the process."""
    return _cached_state(
        str(project_root()), os.environ.get(store.STATE_URL_ENV), _inode(project_root() / paths.STATE_DATABASE)
    )


def _inode(path: Path) -> int:
    return path.stat().st_ino if path.exists() else 0


@st.cache_resource(max_entries=4, show_spinner=False, on_release=State.close)
def _cached_state(folder: str, url: str | None, inode: int) -> State:  # noqa: ARG001 - another file is another entry
    return store.open_state(Path(folder))


def current_user() -> login.User:
    """Return the user of this session."""
    return login.user_of_session(config().serving.oidc.roles_claim if login.has_login() else "")


def registry() -> ModelRegistry:
    """Return the registry, which records the user of this session as actor."""
    return open_model_registry(config().tracking, project_root(), actor=current_user().id)


def versions(model: str) -> list[ModelVersion]:
    """Return the versions of a model, oldest first; empty before the first registration."""
    if not has_state():
        return []
    with state().reading() as connection:
        return store.read_versions(connection, model)


def current_deployment(model: str) -> Deployment:
    """Return the current deployment of a model."""
    if not has_state():
        return store.Deployment(model, 0, {}, {}, {})
    with state().reading() as connection:
        return store.current_deployment(connection, model)


def audit_entries(model: str, *, limit: int | None = None) -> list[AuditEntry]:
    """Return the last `limit` entries of the audit trail, newest first."""
    if not has_state():
        return []
    with state().reading() as connection:
        return list(reversed(store.read_audit_entries(connection, model=model, limit=limit)))


def load_package(digest: str) -> Package:
    """Return a registered package; packages are immutable, so each is read once."""
    return _cached_package(str(project_root() / paths.PACKAGES), digest)


@st.cache_resource(max_entries=8, show_spinner="Loading the model ...")
def _cached_package(folder: str, digest: str) -> Package:
    return PackageStore(Path(folder)).load(digest)


def find_package(digest: str) -> Package | None:
    """Return a registered package; None if it cannot be loaded."""
    try:
        return load_package(digest)
    except MlopsError:
        return None


def prediction_explainer(digest: str, *, served_by: str) -> PredictionExplainer:
    """Return the explainer of the package that made a prediction."""
    return _cached_explainer(str(project_root() / paths.PACKAGES), digest, is_rule=served_by == "rule")


@st.cache_resource(max_entries=4, show_spinner="Loading the model ...")
def _cached_explainer(folder: str, digest: str, *, is_rule: bool) -> PredictionExplainer:
    if is_rule:
        return PredictionExplainer(PackageStore(Path(folder)).load_rule_baseline(digest))
    return PredictionExplainer(load_package(digest))


def preload_production() -> None:
    """Load the production package and the engine before the first page; pages report failures themselves."""
    with suppress(MlopsError):
        digest = current_deployment(config().name).digests.get("Production")
        if digest is not None:
            prediction_explainer(digest, served_by="production")
    with suppress(MlopsError):
        engine()


def preload_slow_queries() -> None:
    """Load the slow data of single pages: the runs of MLflow, and the composed settings."""
    with suppress(MlopsError):
        runs()
    with suppress(MlopsError):
        composition()


def cached(ttl_s: float, *, spinner: str | bool) -> Callable[[Callable[_P, _T]], Callable[_P, _T]]:
    """Return a decorator that caches plain values for `ttl_s` seconds; the page shows `spinner` during the query."""
    return st.cache_data(ttl=ttl_s, max_entries=32, show_spinner=spinner)


@st.cache_resource(max_entries=8, show_spinner=False)
def status_observations(folder: str) -> StatusObservations:  # noqa: ARG001 - one for each project
    """Return what this process observed of production; it is one object for all sessions."""
    return StatusObservations()


def api_address() -> str | None:
    """Return the URL of the HTTP API that predicts; None if an engine in this process predicts."""
    return os.environ.get(API_URL_ENV) or None


def engine() -> EngineClient | ApiClient:
    """Return the client that predicts: of the HTTP API if its URL is set, else of an engine in this process."""
    address = api_address()
    if address is not None:
        return ApiClient(address, login.api_token(), config().serving.engine.max_rows)
    if not has_state():
        raise DataError(f"no model is registered yet; {store.register_hint(project_root())}")
    root = project_root()
    config()
    url, inode = os.environ.get(store.STATE_URL_ENV), _inode(root / paths.STATE_DATABASE)
    start = _cached_demo_engine if demo_mode.is_demo() else _cached_engine
    return start(str(root), file_stamp(root / paths.PARAMS), url, inode)


@st.cache_resource(max_entries=1, show_spinner="Starting the engine ...", on_release=EngineClient.close)
def _cached_engine(folder: str, stamp: FileStamp, url: str | None, inode: int) -> EngineClient:  # noqa: ARG001 - keys
    return EngineClient(Path(folder), load_params(Path(folder) / paths.PARAMS))


# A session of the demo must not close the engine of the other sessions.
@st.cache_resource(max_entries=1, show_spinner="Starting the engine ...", on_release=EngineClient.close)
def _cached_demo_engine(
    folder: str,
    stamp: FileStamp,  # noqa: ARG001 - a part of the cache key
    url: str | None,  # noqa: ARG001 - a part of the cache key
    inode: int,  # noqa: ARG001 - a part of the cache key
) -> EngineClient:
    return EngineClient(Path(folder), load_params(Path(folder) / paths.PARAMS))


@st.cache_resource(max_entries=2, scope="session", show_spinner="Reading the file ...")
def scoring_rows(name: str, content: bytes, digest: str) -> ScoringRows:
    """Return the rows of an uploaded file in the schema of the package `digest`, or their problems."""
    found = file_format(name)
    suffix = ".csv" if found is None else f"{found.suffix}{found.compression or ''}"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"upload{suffix}"
        path.write_bytes(content)
        schema = load_package(digest).schema
        return read_scoring_file(path, schema, CsvDialect.from_settings(schema.dialect))


def composition() -> tuple[Composition, tuple[Origin, ...]]:
    """Return the settings that conf/ composes now, with the origin of each value.

    Raises
    ------
    ConfigError
        When conf/ is invalid; the message names file and key.
    """
    folder = project_root() / paths.CONF
    if not folder.is_dir():
        raise DataError(f"{paths.CONF}/: no such folder here; start the app in the project's folder")
    files = find_conf_sources(folder).files()
    stamps = tuple((str(path), file_stamp(path)) for _, path in files)
    return _cached_composition(str(folder), stamps)


@st.cache_resource(max_entries=4, show_spinner="Composing conf/ ...")
def _cached_composition(
    folder: str,
    stamps: tuple[tuple[str, FileStamp], ...],  # noqa: ARG001 - a part of the cache key
) -> tuple[Composition, tuple[Origin, ...]]:
    composed = compose(conf=Path(folder))
    return composed, composed.origin()


def settings_file(name: str) -> Path | None:
    """Return the file of a name that an origin has, such as `engine: conf/model/svm.yaml`; None where it is gone."""
    path = find_conf_sources(project_root() / paths.CONF).locate(name)
    return path if path is not None and path.is_file() else None


def mlflow_address() -> str | None:
    """Return the URL of the MLflow server; None if runs are in the project's file."""
    uri = os.environ.get(config().tracking.uri_env)
    return uri if uri and uri.startswith(("http://", "https://")) else None


def runs() -> list[RecordedRun]:
    """Return the runs of the experiment, newest first; DependencyUnavailable if MLflow is unreachable."""
    uri = os.environ.get(config().tracking.uri_env)
    database = project_root() / MLFLOW_DATABASE
    if not uri and not database.exists():
        raise DataError("no run is recorded yet; run `make run` or a sweep, then reload this page")
    return _cached_runs(
        str(project_root()), uri, file_stamp(database), file_stamp(database.with_name(f"{MLFLOW_DATABASE}-wal"))
    )


@st.cache_data(ttl=15, max_entries=8, show_spinner="Reading MLflow ...")
def _cached_runs(
    folder: str,
    uri: str | None,  # noqa: ARG001 - a part of the cache key
    stamp: FileStamp,  # noqa: ARG001 - a part of the cache key
    wal: FileStamp,  # noqa: ARG001 - a part of the cache key
) -> list[RecordedRun]:
    return make_tracker(load_params(Path(folder) / paths.PARAMS).tracking, Path(folder)).search_runs()


def find_package_run(digest: str) -> RecordedRun | None:
    """Return the run that recorded a package; None if MLflow has none or is unreachable."""
    try:
        return next((run for run in runs() if run.tags.get("mlops.package") == digest), None)
    except MlopsError:
        return None


@st.cache_resource(max_entries=16, show_spinner="Fetching the evaluation from MLflow ...")
def _cached_run_evaluation(
    folder: str,
    uri: str | None,  # noqa: ARG001 - a part of the cache key
    run_id: str,
) -> VersionEvaluation:
    tracking = make_tracker(load_params(Path(folder) / paths.PARAMS).tracking, Path(folder)).store
    with tempfile.TemporaryDirectory() as target, require_store():
        # A folder is downloaded with its name, a single file without those of its folders.
        for folder_name in (paths.EVALUATION_REPORT.parent, paths.PLOTS):
            tracking.download(run_id, str(folder_name), Path(target))
        return VersionEvaluation.read(Path(target))


def load_run_evaluation(run_id: str) -> VersionEvaluation:
    """Return the evaluation that a run recorded; an MlopsError if it recorded none."""
    return _cached_run_evaluation(str(project_root()), os.environ.get(config().tracking.uri_env), run_id)


def find_package_evaluation(digest: str) -> VersionEvaluation | None:
    """Return the evaluation of a package from the last run's files or from its MLflow run; None if neither has it."""
    has_report = (project_root() / paths.EVALUATION_REPORT).exists()
    if has_report and load_report(paths.EVALUATION_REPORT)["package"] == digest:
        return VersionEvaluation.read(project_root())
    try:
        return _cached_package_evaluation(str(project_root()), os.environ.get(config().tracking.uri_env), digest)
    except MlopsError:
        return None


@st.cache_resource(max_entries=16, show_spinner="Fetching the evaluation from MLflow ...")
def _cached_package_evaluation(
    folder: str,  # noqa: ARG001 - a part of the cache key
    uri: str | None,  # noqa: ARG001 - a part of the cache key
    digest: str,
) -> VersionEvaluation:
    """Return the evaluation that the run of a package recorded; it is immutable, so it is fetched once."""
    run = find_package_run(digest)
    if run is None:
        raise DataError(f"MLflow has no run of the package {digest[:12]}")
    return load_run_evaluation(run.run_id)
