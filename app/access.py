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

from app import reader
from app.remote import URL_ENV, Remote
from app.resident import Resident
from pipeline import paths
from pipeline import state as store
from pipeline.config.compose import compose
from pipeline.config.groups.data import CsvSource
from pipeline.config.load import load_params
from pipeline.data.scoring_file import ScoringRows, read_scoring_file
from pipeline.errors import DataError, MlopsError
from pipeline.files import read_json
from pipeline.package import PackageStore
from pipeline.registry import registry_of
from pipeline.state.database import DATABASE, State
from pipeline.tracking.projection import shown_params
from pipeline.tracking.publish import tracker_of
from pipeline.tracking.search import needing_the_store
from pipeline.tracking.store import DATABASE as MLFLOW_DATABASE
from pipeline.tracking.store import find_root

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from pipeline.config.compose import Composition, Origin
    from pipeline.config.types import Config
    from pipeline.package import Package
    from pipeline.registry import ModelRegistry
    from pipeline.state import AuditEntry, LoggedPrediction, Search, Served, Version
    from pipeline.tracking.search import FoundRun

__all__ = [
    "Evaluation",
    "api_address",
    "composition",
    "config",
    "engine",
    "evaluation_of",
    "evaluation_of_run",
    "has_state",
    "history",
    "kept",
    "logged",
    "mlflow_address",
    "n_logged",
    "package_of",
    "package_run",
    "reads",
    "registry",
    "report",
    "root",
    "runs",
    "scoring_rows",
    "served",
    "shown",
    "state",
    "versions",
    "warm",
    "warm_rest",
]

Stamp = tuple[int, int]
_P = ParamSpec("_P")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was found on the test rows of one version: its report, and the curves by the name of their file."""

    report: dict[str, Any]
    curves: dict[str, pd.DataFrame]


def root() -> Path:
    """Return the project's folder."""
    return find_root().resolve()


def _stamp(path: Path) -> Stamp:
    """Return what tells one state of a file from the next; zeros where there is no file."""
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_size)


def config() -> Config:
    """Return the composed settings; DataError while nothing was composed yet."""
    path = root() / paths.PARAMS
    if not path.exists():
        raise DataError(f"{paths.PARAMS}: not there yet; run `make run` in the project's folder, then look here again")
    return _config(str(path), _stamp(path))


@st.cache_resource(max_entries=8, show_spinner=False)
def _config(path: str, stamp: Stamp) -> Config:  # noqa: ARG001 - a new stamp is a new entry
    return load_params(Path(path))


def report(path: Path) -> dict[str, Any]:
    """Return a report of the graph; DataError where there is none yet."""
    full = root() / path
    if not full.exists():
        raise DataError(f"{path}: not there yet; run `make run`, which makes it")
    found: dict[str, Any] = _json(str(full), _stamp(full))
    return found


@st.cache_data(max_entries=32, show_spinner=False)
def _json(path: str, stamp: Stamp) -> Any:  # noqa: ARG001 - a new stamp is a new entry
    return read_json(Path(path))


def has_state() -> bool:
    """Return whether there is a state database; one is made when something is registered."""
    return bool(os.environ.get(store.URL_ENV)) or (root() / DATABASE).exists()


def state() -> State:
    """Return the state database, open as long as the process lives."""
    return _opened(str(root()), os.environ.get(store.URL_ENV), _inode(root() / DATABASE))


def _inode(path: Path) -> int:
    return path.stat().st_ino if path.exists() else 0


@st.cache_resource(max_entries=4, show_spinner=False, on_release=State.close)
def _opened(folder: str, url: str | None, inode: int) -> State:  # noqa: ARG001 - another file is another entry
    return store.open_state(Path(folder))


def reads() -> reader.Reader:
    """Return who reads in this session."""
    return reader.reader(config().serving.oidc.roles_claim)


def registry() -> ModelRegistry:
    """Return the registry, through which decisions of this session's reader go."""
    return registry_of(config().tracking, root(), actor=reads().id)


def versions(model: str) -> list[Version]:
    """Return the versions of a model, oldest first; none while nothing was registered."""
    if not has_state():
        return []
    with state().reading() as connection:
        return store.all_versions(connection, model)


def served(model: str) -> Served:
    """Return what serves of a model."""
    if not has_state():
        return store.Served(model, 0, {}, {})
    with state().reading() as connection:
        return store.served(connection, model)


def history(model: str, *, limit: int | None = None) -> list[AuditEntry]:
    """Return the last `limit` entries of the audit trail, newest first."""
    if not has_state():
        return []
    with state().reading() as connection:
        return list(reversed(store.entries(connection, model=model, limit=limit)))


def logged(search: Search, *, limit: int, offset: int) -> list[LoggedPrediction]:
    """Return a page of the prediction log, newest first."""
    if not has_state():
        return []
    with state().reading() as connection:
        return store.search_predictions(connection, search, limit=limit, offset=offset)


def n_logged(search: Search, *, at_most: int) -> int:
    """Return how many predictions a search finds, counted up to `at_most`."""
    if not has_state():
        return 0
    with state().reading() as connection:
        return store.count_predictions(connection, search, at_most=at_most)


def package_of(digest: str) -> Package:
    """Return a registered package; it never changes, so it is read once."""
    return _package(str(root() / "state/packages"), digest)


@st.cache_resource(max_entries=8, show_spinner="Loading the model ...")
def _package(folder: str, digest: str) -> Package:
    return PackageStore(Path(folder)).load(digest)


def warm() -> None:
    """Load what serves, so that the first reader does not wait for it; what fails is told on the page that needs it."""
    with suppress(MlopsError):
        digest = served(config().name).digests.get("Production")
        if digest is not None:
            package_of(digest)
    with suppress(MlopsError):
        engine()


def warm_rest() -> None:
    """Load what takes long and only some pages need: the runs of MLflow, and conf/ as it composes."""
    with suppress(MlopsError):
        runs()
    with suppress(MlopsError):
        composition()


def kept(seconds: float, *, said: str | bool) -> Callable[[Callable[_P, _T]], Callable[_P, _T]]:
    """Return a decorator that keeps plain values for some seconds; `said` stands on the page while they are read."""
    return st.cache_data(ttl=seconds, max_entries=32, show_spinner=said)


def api_address() -> str | None:
    """Return the address of the HTTP API that answers; None where an engine of this process does."""
    return os.environ.get(URL_ENV) or None


def engine() -> Resident | Remote:
    """Return what answers and logs: the HTTP API where an address is given, otherwise the engine of this process."""
    address = api_address()
    if address is not None:
        return Remote(address, reader.token(), config().serving.engine.max_rows)
    if not has_state():
        raise DataError("no model is registered yet; run `make run`: the first one that passes its gates serves")
    params = root() / paths.PARAMS
    config()
    return _engine(str(root()), _stamp(params), os.environ.get(store.URL_ENV), _inode(root() / DATABASE))


@st.cache_resource(max_entries=1, show_spinner="Starting the engine ...", on_release=Resident.close)
def _engine(folder: str, stamp: Stamp, url: str | None, inode: int) -> Resident:  # noqa: ARG001 - what changed starts a new one
    return Resident(Path(folder), load_params(Path(folder) / paths.PARAMS))


@st.cache_resource(max_entries=2, scope="session", show_spinner="Reading the file ...")
def scoring_rows(name: str, content: bytes, digest: str) -> ScoringRows:
    """Return the rows of an uploaded CSV or Parquet file as the package `digest` wants them, or its problems."""
    ending = ".parquet" if name.lower().endswith(".parquet") else ".csv"
    source = config().data.source
    form = source if isinstance(source, CsvSource) else CsvSource(kind="csv", path="data/external/upload.csv")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"upload{ending}"
        path.write_bytes(content)
        return read_scoring_file(path, package_of(digest).schema, form)


def composition() -> tuple[Composition, tuple[Origin, ...]]:
    """Return conf/ as it composes now, with the origin of each value.

    Raises
    ------
    ConfigError
        Naming file and key where conf/ is broken.
    """
    folder = root() / paths.CONF
    if not folder.is_dir():
        raise DataError(f"{paths.CONF}/: no such folder here; start the app in the project's folder")
    stamps = tuple((str(one), _stamp(one)) for one in sorted(folder.rglob("*.yaml")))
    return _composition(str(folder), stamps)


@st.cache_resource(max_entries=4, show_spinner="Composing conf/ ...")
def _composition(folder: str, stamps: tuple[tuple[str, Stamp], ...]) -> tuple[Composition, tuple[Origin, ...]]:  # noqa: ARG001 - as above
    composed = compose(conf=Path(folder))
    return composed, composed.origin()


def shown(values: dict[str, Any]) -> dict[str, Any]:
    """Return those of the composed values that results depend on, as MLflow shows them."""
    return shown_params(values)


def mlflow_address() -> str | None:
    """Return the address of an MLflow server; None where runs lie in the project's file."""
    found = os.environ.get(config().tracking.uri_env)
    return found if found and found.startswith(("http://", "https://")) else None


def runs() -> list[FoundRun]:
    """Return the runs of the experiment, newest first; DependencyUnavailable when MLflow cannot be had."""
    uri = os.environ.get(config().tracking.uri_env)
    database = root() / MLFLOW_DATABASE
    if not uri and not database.exists():
        raise DataError("no run is recorded yet; run `make run`, or a sweep, and look here again")
    return _runs(str(root()), uri, _stamp(database), _stamp(database.with_name(f"{MLFLOW_DATABASE}-wal")))


@st.cache_data(ttl=15, max_entries=8, show_spinner="Asking MLflow ...")
def _runs(folder: str, uri: str | None, stamp: Stamp, wal: Stamp) -> list[FoundRun]:  # noqa: ARG001 - as above
    return tracker_of(load_params(Path(folder) / paths.PARAMS).tracking, Path(folder)).search_runs()


def package_run(digest: str) -> FoundRun | None:
    """Return the run that recorded a package; None where MLflow has none or cannot be had."""
    try:
        return next((run for run in runs() if run.tags.get("mlops.package") == digest), None)
    except MlopsError:
        return None


@st.cache_resource(max_entries=16, show_spinner="Fetching the evaluation from MLflow ...")
def _evaluated(folder: str, uri: str | None, run_id: str) -> Evaluation:  # noqa: ARG001 - another store is another entry
    tracking = tracker_of(load_params(Path(folder) / paths.PARAMS).tracking, Path(folder)).store
    with tempfile.TemporaryDirectory() as target, needing_the_store():
        found = tracking.download(run_id, str(paths.EVALUATION), Path(target))
        curves = tracking.download(run_id, str(paths.PLOTS), Path(target))
        return Evaluation(read_json(found), _curves(curves))


def evaluation_of_run(run_id: str) -> Evaluation:
    """Return what a run found on the test rows, as it recorded it; a MlopsError where it recorded none."""
    return _evaluated(str(root()), os.environ.get(config().tracking.uri_env), run_id)


def evaluation_of(digest: str) -> Evaluation | None:
    """Return what was found on the test rows of a package: from the last run's files, otherwise from its MLflow run."""
    if (root() / paths.EVALUATION).exists():
        found = report(paths.EVALUATION)
        if found["package"] == digest:
            return Evaluation(found, _curves(root() / paths.PLOTS))
    try:
        return _recorded(str(root()), os.environ.get(config().tracking.uri_env), digest)
    except MlopsError:
        return None


@st.cache_resource(max_entries=16, show_spinner="Fetching the evaluation from MLflow ...")
def _recorded(folder: str, uri: str | None, digest: str) -> Evaluation:  # noqa: ARG001 - another store is another entry
    """Return what the run of a package recorded; it never changes, so it is fetched once."""
    run = package_run(digest)
    if run is None:
        raise DataError(f"MLflow has no run of the package {digest[:12]}")
    return evaluation_of_run(run.run_id)


def _curves(folder: Path) -> dict[str, pd.DataFrame]:
    import pandas as pd

    return {path.stem: pd.read_csv(path) for path in sorted(folder.glob("*.csv"))}
