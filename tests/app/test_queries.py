"""Queries before the first run, and caches that follow the files."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app import queries
from pipeline.errors import ConfigError, DataError
from pipeline.files import write_json
from pipeline.project import paths
from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fixtures.workspace import Workspace

pytestmark = pytest.mark.xdist_group("app")


@pytest.mark.usefixtures("empty")
@pytest.mark.parametrize(
    "query", [queries.config, queries.engine, lambda: queries.load_report(paths.VALIDATION_REPORT)]
)
def test_before_the_first_run_the_error_names_the_command(query: Callable[[], object]) -> None:
    with pytest.raises(DataError, match=r"run `make run`|run `dvc pull`"):
        query()


@pytest.mark.usefixtures("empty")
def test_before_the_first_registration_the_registry_is_empty() -> None:
    assert not queries.has_state()
    assert queries.versions("model") == []
    assert queries.current_deployment("model").versions == {}
    assert queries.audit_entries("model") == []


def test_a_changed_report_is_read_again(empty: Path) -> None:
    path = empty / paths.VALIDATION_REPORT
    path.parent.mkdir(parents=True)
    write_json(path, {"rows": 1})
    assert queries.load_report(paths.VALIDATION_REPORT) == {"rows": 1}
    write_json(path, {"rows": 22})
    assert queries.load_report(paths.VALIDATION_REPORT) == {"rows": 22}


def test_changed_settings_are_read_again(empty: Path) -> None:
    params = empty / "params.yaml"
    params.write_bytes((ROOT / "params.yaml").read_bytes())
    assert queries.config().drift.alpha == 0.02
    params.write_text(params.read_text(encoding="utf-8").replace("alpha: 0.02", "alpha: 0.03"), encoding="utf-8")
    os.utime(params, ns=(1, 1))
    assert queries.config().drift.alpha == 0.03


def test_an_unchanged_file_is_read_once(empty: Path) -> None:
    (empty / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    assert queries.config() is queries.config()


def test_a_setting_of_a_wrong_type_names_the_file(empty: Path) -> None:
    (empty / "params.yaml").write_text("name: 7\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"params\.yaml"):
        queries.config()


@pytest.mark.usefixtures("empty")
def test_every_composed_value_has_an_origin() -> None:
    composed, origin = queries.composition()
    assert composed.text == (ROOT / "params.yaml").read_text(encoding="utf-8")
    assert {entry.file for entry in origin if entry.key == "drift.alpha"} == {"conf/drift/default.yaml"}


def test_without_conf_the_error_names_the_folder(empty: Path) -> None:
    shutil.rmtree(empty / "conf")
    with pytest.raises(DataError, match="conf/: no such folder here"):
        queries.composition()


def test_the_project_is_the_folder_around_the_current_one(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (empty / "deeper").mkdir()
    monkeypatch.chdir(empty / "deeper")
    assert queries.project_root() == Path(empty).resolve()


@pytest.mark.parametrize(
    ("uri", "address"), [("http://mlflow:5000", "http://mlflow:5000"), ("sqlite:///x.db", None), ("", None)]
)
def test_only_a_server_has_an_mlflow_address(
    uri: str, address: str | None, empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (empty / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert queries.mlflow_address() == address


def test_the_evaluation_of_each_run_is_read_from_mlflow(
    drifting_project: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(drifting_project.root)
    runs = [run for run in queries.runs() if run.tags.get("mlops.kind") == "pipeline"]
    evaluations = [queries.load_run_evaluation(run.run_id) for run in runs]
    assert [evaluation.report["package"] for evaluation in evaluations] == [run.tags["mlops.package"] for run in runs]
    assert [{"roc", "pr", "calibration"} <= set(evaluation.curves) for evaluation in evaluations] == [True, True]
    assert all("# " in evaluation.card for evaluation in evaluations)
