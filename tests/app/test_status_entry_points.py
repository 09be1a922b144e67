"""App, `mlops status`, `mlops doctor` and `/v1/status` say the same about each condition of production."""

from __future__ import annotations

import asyncio
import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import streamlit as st

from pipeline import state as store
from pipeline.config.composition import compose
from pipeline.config.config_loader import load_params
from pipeline.maintenance.production_check import diagnose_production
from pipeline.production_status import monitor_period_us
from pipeline.registry import ModelRegistry
from pipeline.serving.engine import Engine
from pipeline.serving.http.production_reader import ProductionReader
from tests.app.conftest import app_page, text_of
from tests.fixtures.small_packages import write_small_package
from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.state import State
    from tests.fixtures.cli import CliRunner

pytestmark = pytest.mark.xdist_group("app")

_UNREACHABLE = "http://127.0.0.1:9"
_MODEL = "iris_model"
_HOUR_US = 3_600_000_000


@pytest.fixture(scope="module")
def _original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose only version was promoted by force, and no program runs."""
    root = tmp_path_factory.mktemp("entry_points") / "original"
    root.mkdir()
    (root / "dvc.yaml").touch()
    (root / "params.yaml").write_text(compose(["data=iris"], conf=ROOT / "conf").text, encoding="utf-8")
    write_small_package(root / "package", "iris", "model=logistic_regression")
    registry = ModelRegistry(root, _UNREACHABLE, actor="ada")
    registry.register_model(root / "package", _MODEL)
    registry.promote_model(_MODEL, 1, "Production", force=True, reason="the first")
    return root


@pytest.fixture
def root(_original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    shutil.copytree(_original, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", _UNREACHABLE)
    for name in ("MLOPS_SERVER_URL", "MLOPS_API_URL"):
        monkeypatch.delenv(name, raising=False)
    st.cache_data.clear()
    return folder


def _with_state(change: Callable[[State], None]) -> Callable[[Path], None]:
    def apply(root: Path) -> None:
        state = store.open_state(root)
        try:
            change(state)
        finally:
            state.close()

    return apply


def _monitored(hours_ago: float, *, incident: bool = False) -> Callable[[Path], None]:
    def change(state: State) -> None:
        at = state.clock() - int(hours_ago * _HOUR_US)
        with state.writing() as connection:
            store.add_monitor_run(connection, store.MonitorRun(_MODEL, 1, at, at - 1, at, "stable", None, {}))
            if incident:
                opened = store.Incident("quality", _MODEL, ("drift",), "critical", "2 drifted", "", {}, at, at)
                store.add_incident(connection, opened)

    return _with_state(change)


def _damage(root: Path) -> None:
    for path in (root / "state").glob("state.db-*"):
        path.unlink()
    (root / "state/state.db").write_bytes(b"no database at all " * 500)


def _cut(root: Path) -> None:
    """Keep the first page, which has the header, and half of the others."""
    path = root / "state/state.db"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _remove(root: Path) -> None:
    for path in (root / "state").glob("state.db*"):
        path.unlink()


def _empty(root: Path) -> None:
    _remove(root)
    (root / "state/state.db").touch()


def _leave(_root: Path) -> None: ...


# Change, component, state, condition, whether a server can start.
_CASES = [
    pytest.param(_leave, "monitor", "unknown", "never_ran", True, id="never monitored"),
    pytest.param(_leave, "incidents", "unknown", "unknown", True, id="alerts never counted"),
    pytest.param(_leave, "version", "degraded", "forced", True, id="forced"),
    pytest.param(_monitored(30), "monitor", "degraded", "late", True, id="late monitor"),
    pytest.param(_monitored(30), "incidents", "unknown", "unknown", True, id="alerts of a late monitor"),
    pytest.param(_monitored(1), "monitor", "healthy", "on_time", True, id="timely monitor"),
    pytest.param(_monitored(1), "incidents", "healthy", "none", True, id="no alerts"),
    pytest.param(_monitored(1, incident=True), "incidents", "degraded", "open", True, id="open alert"),
    pytest.param(_leave, "api", "unknown", "not_configured", False, id="no API"),
    pytest.param(_leave, "tracking", "degraded", "unreachable", False, id="MLflow down"),
    pytest.param(_remove, "database", "down", "missing", False, id="removed database"),
    pytest.param(_empty, "database", "down", "missing", False, id="emptied database"),
    pytest.param(_damage, "database", "down", "damaged", False, id="overwritten database"),
    pytest.param(_cut, "database", "down", "damaged", False, id="cut database"),
]


def _status_of_server(root: Path) -> dict[str, Any]:
    config = load_params(root / "params.yaml")

    async def read() -> dict[str, Any]:
        engine = Engine(root, config.name, config.serving.engine, config.serving.log)
        await engine.start()
        try:
            return await ProductionReader(engine, monitor_period_us(config.monitoring)).read(is_draining=False)
        finally:
            await engine.close()

    return asyncio.run(read())


@pytest.mark.parametrize(("change", "name", "state", "condition", "has_server"), _CASES)
def test_all_entry_points_report_the_same(
    change: Callable[[Path], None],
    name: str,
    state: str,
    condition: str,
    has_server: bool,
    *,
    root: Path,
    run_cli: CliRunner,
) -> None:
    change(root)
    production = json.loads(run_cli("status", "--json", cwd=root).out)["production"]
    printed = production["components"][name]
    assert (printed["state"], printed["condition"]) == (state, condition)
    label = next(label for label in _LABELS if label[0] == name)[1]
    doctor = next(diagnosis for diagnosis in diagnose_production(root) if diagnosis.check == f"production: {label}")
    assert doctor.state == {"healthy": "ok", "degraded": "warning", "down": "problem"}.get(state, state)
    page = text_of(app_page("overview").run()).replace("\\", "").replace("`", "")
    assert production["sentence"].replace("`", "") in page.replace("\u2060", "")
    shown = next(line for line in page.splitlines() if f"-badge[{state}]" in line and label in line)
    for sentence in (doctor.detail, shown):
        assert _without_ages(printed["sentence"]) in _without_ages(sentence).replace(f"{root}/", "")
    if has_server:
        served = _status_of_server(root)["components"][name]
        assert (served["state"], served["condition"]) == (state, condition)


_LABELS = (
    ("database", "State database"),
    ("version", "Production version"),
    ("api", "API"),
    ("monitor", "Monitor"),
    ("incidents", "Open incidents"),
    ("tracking", "MLflow"),
)


def _without_ages(text: str) -> str:
    """Cut a sentence before its first moment, which differs by zone and second."""
    return text.replace("`", "").replace("\u2060", "").partition("last run")[0]


@pytest.mark.parametrize(
    ("words", "code"),
    [(("models", "list"), 7), (("alerts", "list"), 7), (("audit", "list"), 7), (("state", "backup"), 7)],
)
@pytest.mark.parametrize(("lose", "word"), [(_remove, "missing"), (_damage, "damaged")])
def test_no_command_takes_a_lost_database_for_a_new_one(
    lose: Callable[[Path], None], word: str, words: tuple[str, ...], code: int, *, root: Path, run_cli: CliRunner
) -> None:
    lose(root)
    run = run_cli(*words, cwd=root)
    assert (run.exit_code, f"the state database is {word}" in run.err, "docs/how-to/backup.md" in run.err) == (
        code,
        True,
        True,
    )
    assert (root / "state/state.db").exists() == (lose is not _remove)


@pytest.mark.parametrize("name", ["overview", "monitoring", "history", "models", "predict"])
@pytest.mark.parametrize(("lose", "word"), [(_remove, "missing"), (_damage, "damaged")])
def test_no_page_takes_a_lost_database_for_a_new_one(
    lose: Callable[[Path], None], word: str, name: str, root: Path
) -> None:
    lose(root)
    text = text_of(app_page(name).run()).replace("\\", "")
    assert f"the state database is {word}" in text.lower()
    assert "docs/how-to/backup.md" in text
    assert "No version is registered yet" not in text


def test_a_declared_api_that_does_not_respond_is_down_at_each_entry_point(
    root: Path, run_cli: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_SERVER_URL", _UNREACHABLE)
    at = app_page("overview").run()
    assert "`http://127.0.0.1:9` does not respond" in text_of(at).replace("\\", "")
    run = run_cli("status", cwd=root)
    assert "Production is down: API down." in run.out
    doctor = run_cli("doctor", "--dry-run", "--json", cwd=root)
    states = {diagnosis["check"]: diagnosis["state"] for diagnosis in json.loads(doctor.out)}
    assert states["production: API"] == "warning"
