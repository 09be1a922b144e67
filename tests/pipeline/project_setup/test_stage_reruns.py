"""Which stages run after an upgrade, and why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.project_setup.stage_reruns import stage_reruns

if TYPE_CHECKING:
    from pathlib import Path

GRAPH: dict[str, Any] = {
    "stages": {
        "compose": {"cmd": "c", "deps": ["conf"], "outs": [{"params.yaml": {"cache": False}}]},
        "ingest": {"cmd": "i", "deps": ["data"], "params": ["data"], "outs": ["rows"]},
        "train": {"cmd": "t", "deps": ["rows"], "params": ["model", "seed"], "outs": ["package"], "metrics": ["cv"]},
        "register": {"cmd": "r", "deps": ["package"], "params": ["promotion"]},
        "mine": {"cmd": "m", "deps": ["cv"]},
        "never_run": {"cmd": "n", "deps": ["rows"]},
    }
}
SETTINGS = {"seed": 1, "model": {"name": "svm", "c": 1.0}, "data": {"rows": 3}, "promotion": {"a": 1}}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder in which all stages but one have run."""
    locked = {
        name: {"cmd": block["cmd"], "deps": [{"path": dep, "md5": "0"} for dep in block["deps"]]}
        for name, block in GRAPH["stages"].items()
        if name != "never_run"
    }
    (tmp_path / "dvc.lock").write_text(json.dumps({"schema": "2.0", "stages": locked}))
    (tmp_path / "params.yaml").write_text(json.dumps(SETTINGS))
    return tmp_path


def reruns(
    project: Path, *, graph: Any = GRAPH, code: set[str] | None = None, values: Any = SETTINGS
) -> dict[str, tuple[str, bool]]:
    found = stage_reruns(project, json.dumps(graph), code or set(), values)
    return {rerun.stage: (rerun.reason, rerun.is_certain) for rerun in found}


def test_no_stage_runs_without_a_change(project: Path) -> None:
    assert reruns(project) == {}


def test_changed_code_runs_the_stage_and_perhaps_those_that_read_its_outputs(project: Path) -> None:
    assert reruns(project, code={"train"}) == {
        "train": ("its code changed", True),
        "register": ("if the outputs of train change", False),
        "mine": ("if the outputs of train change", False),
    }


def test_changed_settings_run_the_stages_that_read_them(project: Path) -> None:
    values = {**SETTINGS, "model": {"name": "svm", "c": 2.0, "d": 1}}
    assert reruns(project, values=values)["train"] == ("settings changed: model.c, model.d", True)
    assert set(reruns(project, values={**SETTINGS, "promotion": {"a": 2}})) == {"register"}


@pytest.mark.parametrize(
    ("key", "value", "reason"), [("cmd", "other", "its command changed"), ("deps", ["new"], "its dependencies changed")]
)
def test_a_changed_block_runs_its_stage(project: Path, key: str, value: object, reason: str) -> None:
    graph = {"stages": {**GRAPH["stages"], "register": {**GRAPH["stages"]["register"], key: value}}}
    assert reruns(project, graph=graph) == {"register": (reason, True)}


def test_settings_that_do_not_compose_leave_the_other_reasons(project: Path) -> None:
    assert reruns(project, values=None, code={"mine"}) == {"mine": ("its code changed", True)}


def test_before_the_first_run_no_stage_runs_again(tmp_path: Path) -> None:
    assert reruns(tmp_path, code={"train"}) == {}


@pytest.mark.parametrize(("key", "value"), [("cmd", "m ${seed}"), ("deps", ["cv", "${data.path}"])])
def test_a_value_that_dvc_fills_in_is_no_change(project: Path, key: str, value: object) -> None:
    graph = {"stages": {**GRAPH["stages"], "mine": {**GRAPH["stages"]["mine"], key: value}}}
    assert reruns(project, graph=graph) == {}


def test_an_empty_lock_file_names_no_stage(project: Path) -> None:
    (project / "dvc.lock").write_text("")
    assert reruns(project, code={"train"}) == {}
