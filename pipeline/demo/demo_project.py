"""Create a copy of a project with simulated traffic, so that its pages have content and production has none of it."""

from __future__ import annotations

import os
import shutil
from contextlib import closing
from typing import TYPE_CHECKING, Any

from pipeline import files
from pipeline import state as store
from pipeline.config.config_loader import load_params, load_scenario
from pipeline.config.strict_yaml import read_yaml
from pipeline.demo.demo_traffic import log_demo_traffic
from pipeline.errors import Conflict, DataError, UsageError
from pipeline.monitoring.log.prediction_record import MonitoredVersion
from pipeline.package import PackageStore
from pipeline.project import paths

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["create_demo", "remove_demo"]

_SCENARIO = "drift"
_ROWS_PER_HOUR = 80
# Results of the last run that pages only read; the monitor writes into `reports`.
_COPIED = ("conf", "reports", "dvc.yaml", "dvc.lock", "mlflow.db")
_LINKED = ("data", "metrics", "models", "mlruns", "plots")
# No program sets this variable, so the runs of the copy stay in its own file.
_TRACKING_URI_ENV = "MLOPS_DEMO_TRACKING_URI"


def create_demo(root: Path, *, rows_per_hour: int = _ROWS_PER_HOUR) -> Path:
    """Create `state/demo`, a copy of the project with three days of simulated traffic, and return its folder.

    The copy has its own state database and settings without receivers, and links to packages and data. Nothing of the
    project changes. `rows_per_hour` is the number of predictions before the drift.

    Raises
    ------
    UsageError
        When the state database is not the file of the project, so that the copy would write into it.
    DataError
        When no version is in Production, or the test rows are missing.
    Conflict
        When the demo exists.
    """
    if os.environ.get(store.STATE_URL_ENV):
        raise UsageError(
            f"{store.STATE_URL_ENV} is set; the demo copies the database file of the project: unset the variable"
        )
    folder = root / paths.DEMO
    if folder.exists():
        raise Conflict(f"{paths.DEMO}: the demo exists; open it, or remove it with `rm -r {paths.DEMO}`")
    with files.atomic_folder(folder) as copy:
        _copy_project(root, copy)
        _log_traffic(copy, root, rows_per_hour)
    return folder


def remove_demo(root: Path) -> None:
    """Remove the copy; its links are removed, not what they lead to."""
    shutil.rmtree(root / paths.DEMO)


def _copy_project(root: Path, copy: Path) -> None:
    for name in _COPIED:
        source = root / name
        if source.is_dir():
            shutil.copytree(source, copy / name)
        elif source.exists():
            shutil.copyfile(source, copy / name)
    for name in _LINKED:
        if (root / name).exists():
            (copy / name).symlink_to(root / name)
    files.write_json(copy / paths.PARAMS, _demo_params(read_yaml(root / paths.PARAMS)))
    files.make_private_folder(copy / paths.STATE)
    (copy / paths.PACKAGES).symlink_to(root / paths.PACKAGES)
    with closing(store.open_state(root)) as state:
        store.back_up_state(state, copy / paths.STATE).rename(copy / paths.STATE_DATABASE)


def _demo_params(values: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of the copy: no receiver is notified, and no run goes to a server."""
    return {
        **values,
        "alerts": {**values["alerts"], "receivers": {}},
        "monitoring": {**values["monitoring"], "mlflow_runs": "none"},
        "tracking": {**values["tracking"], "uri_env": _TRACKING_URI_ENV},
    }


def _log_traffic(copy: Path, root: Path, rows_per_hour: int) -> None:
    config = load_params(copy / paths.PARAMS)
    rows = root / paths.TEST_ROWS
    if not rows.exists():
        raise DataError(f"{paths.TEST_ROWS}: does not exist; run `make run` to create it")
    with closing(store.open_state(copy)) as state:
        with state.reading() as connection:
            deployment = store.current_deployment(connection, config.name)
        digest = deployment.digests.get("Production")
        if digest is None:
            raise DataError(f"no version of {config.name} is in Production; promote one with `mlops promote VERSION`")
        package = PackageStore(root / paths.PACKAGES).load(digest)
        version = deployment.versions["Production"]
        log_demo_traffic(
            state,
            MonitoredVersion(config.name, version, package, deployment.generation),
            files.read_parquet(rows),
            scenario=load_scenario(_SCENARIO, conf=copy / paths.CONF),
            rows_per_hour=rows_per_hour,
            now=state.clock(),
        )
