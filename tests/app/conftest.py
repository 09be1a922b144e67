"""The app on the results of a small finished project, on an empty folder, and on a model of another problem."""

from __future__ import annotations

import re
import shutil
import sys
import time
from contextlib import suppress
from functools import cache
from html import unescape
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
import streamlit as st
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from pipeline import state as store
from pipeline.config.composition import compose
from pipeline.registry import ModelRegistry
from tests.app.browser import running_app
from tests.app.drifting_day import log_drifting_day
from tests.app.loop_history import add_loop_history, opened_state
from tests.fixtures.small_packages import write_small_package
from tests.fixtures.toy_dataset import ROOT
from tests.fixtures.workspace import CommandFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.fixtures.workspace import Workspace

    Copies = Callable[[str], Workspace]

# No program listens on this port.
_UNREACHABLE_URL = "http://127.0.0.1:9"
PAGES = (
    "overview",
    "incidents",
    "predict",
    "monitoring",
    "loop",
    "streams",
    "history",
    "models",
    "compare",
    "data",
    "experiments",
    "reports",
    "configuration",
)


def app_page(name: str) -> AppTest:
    """Return a page before its first run."""
    return AppTest.from_string(
        "from app import navigation\n"
        "navigation.register_pages()\n"
        f"next(entry for entry in navigation.PAGES if entry.name == {name!r}).render()",
        default_timeout=60,
    )


def log_in(at: AppTest, **claims: Any) -> None:
    """Configure a login, and give the session its claims; `is_logged_in=False` for a user who did not log in."""
    at.secrets["auth"] = {"redirect_uri": "http://localhost:8501/oauth2callback", "cookie_secret": "x" * 64}
    at.user = {"is_logged_in": True, "sub": "eve", "name": "Eve", "exp": time.time() + 600, **claims}


def text_of(at: AppTest) -> str:
    """Return all texts of a page."""
    elements = [*at.title, *at.markdown, *at.caption, *at.error, *at.warning, *at.success, *at.info, *at.code]
    links = [link.proto.label for link in at.get("page_link")]
    tables = [re.sub(r"<[^>]+>", " ", body) for body in _table_bodies(at)]
    return "\n".join(
        [str(element.value) for element in elements]
        + [f"{metric.label}: {metric.value}" for metric in at.metric]
        + [*links, *tables]
    )


def tables_of(at: AppTest) -> list[pd.DataFrame]:
    """Return the HTML tables of a page, each cell as text."""
    return [
        pd.DataFrame(
            [[_cell_text(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row)] for row in rows[1:]],
            columns=[_cell_text(cell) for cell in re.findall(r"<th[^>]*>(.*?)</th>", rows[0])],
        )
        for rows in (re.findall(r"<tr[^>]*>(.*?)</tr>", body) for body in _table_bodies(at))
    ]


def _table_bodies(at: AppTest) -> list[str]:
    return [element.proto.body for element in at.get("html") if "<table>" in element.proto.body]


def _cell_text(cell: str) -> str:
    return unescape(re.sub(r"<[^>]+>", "", cell))


def errors_of(at: AppTest) -> list[str]:
    """Return the exceptions and error messages of a page."""
    return [exception.message for exception in at.exception] + [str(error.value) for error in at.error]


@pytest.fixture(scope="session", autouse=True)
def _one_scan_for_components() -> Iterator[None]:
    """Read the metadata of all installed packages once, not at each run of a page, which takes half a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", cache(manifest_scanner.scan_component_manifests))
        yield


@pytest.fixture(autouse=True)
def _quiet_surroundings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("MLOPS_STATE_URL", "MLFLOW_TRACKING_URI", "DVC_ROOT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLOPS_ACTOR", "ada")
    st.config.set_option("server.address", "127.0.0.1")
    main = sys.modules["__main__"]
    yield
    # A page under test becomes the main module, which each process that a later test starts would run again.
    sys.modules["__main__"] = main
    st.cache_resource.clear()
    st.cache_data.clear()


@pytest.fixture(scope="session")
def _copies(finished_small: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Copies:
    """Return a copy of the small finished project by name, which is made once."""
    return cache(lambda name: finished_small.copy(tmp_path_factory.mktemp(name) / "project"))


@pytest.fixture(scope="session")
def drifting_project(finished_small: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A copy with two versions, their runs, a day whose last hours drift and an incident; its tests add to it."""
    project = finished_small.copy(tmp_path_factory.mktemp("browser") / "own")
    project.run("mlops", "tracking", "sync")
    project.edit("conf/config.yaml", "model: hist_gradient_boosting", "model: logistic_regression")
    with suppress(CommandFailed):  # its gates may reject it
        project.run("dvc", "repro")
    project.run("mlops", "tracking", "sync")
    log_drifting_day(project.root, has_outcomes=True)
    project.run("python", "-m", "stages.monitor")
    return project


@pytest.fixture(scope="session")
def drifting_app(drifting_project: Workspace) -> Iterator[str]:
    """The address of the app on the drifting project."""
    with running_app(drifting_project) as address:
        yield address


@pytest.fixture
def project(_copies: Copies, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A small finished project as the current folder; tests only add to it."""
    return _enter(_copies("app"), monkeypatch)


@pytest.fixture
def incident_project(_copies: Copies, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """Another finished project as the current folder, whose incidents no other page shows."""
    return _enter(_copies("incidents"), monkeypatch)


@pytest.fixture
def history_project(_copies: Copies, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """Another finished project as the current folder, whose log has the rows of the tests of the history alone."""
    return _enter(_copies("history"), monkeypatch)


def _enter(project: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(project.root)
    return project


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project before its first run."""
    (tmp_path / "dvc.yaml").touch()
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def serving(empty: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModelRegistry]:
    """Return a function that promotes a model of a shipped problem in the current folder."""

    monkeypatch.setenv("MLFLOW_TRACKING_URI", _UNREACHABLE_URL)

    def serve(problem: str) -> ModelRegistry:
        (empty / "params.yaml").write_text(compose([f"data={problem}"], conf=ROOT / "conf").text, encoding="utf-8")
        write_small_package(empty / "package", problem, "model=logistic_regression")
        registry = ModelRegistry(empty, _UNREACHABLE_URL)
        registry.register_model("package", f"{problem}_model")
        registry.promote_model(f"{problem}_model", 1, "Production", force=True, reason="the first")
        return registry

    return serve


@pytest.fixture
def loop_trial(empty: Path, serving: Callable[[str], ModelRegistry]) -> int:
    """Return the number of an open trial of a project with a history of the loop."""
    serving("iris")
    with opened_state(empty) as state, state.reading() as connection:
        digest = store.find_version(connection, "iris_model", 1).digest
    return add_loop_history(empty, "iris_model", champion_digest=digest, challenger_digest=digest).seq
