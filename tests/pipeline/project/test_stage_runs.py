"""The record of a stage holds how it ended and the checksums of what it left."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from pipeline.project.stage_runs import StageRun, load_stage_runs, record_stage_end, record_stage_start

if TYPE_CHECKING:
    from pathlib import Path

GRAPH = "stages: {train: {cmd: x, outs: [model, {report: {cache: false}}], metrics: [metrics]}}"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "dvc.yaml").write_text(GRAPH, encoding="utf-8")
    (tmp_path / "report").write_text("new", encoding="utf-8")
    return tmp_path


def test_the_end_of_a_stage_is_recorded_with_each_declared_output(project: Path) -> None:
    record_stage_start(project, "train")
    assert load_stage_runs(project)["train"] == StageRun("train", None, "", {})
    record_stage_end(project, "train", exit_code=4, reason="a row")
    md5 = hashlib.md5(b"new", usedforsecurity=False).hexdigest()
    outputs = {"model": None, "report": md5, "metrics": None}
    assert load_stage_runs(project) == {"train": StageRun("train", 4, "a row", outputs)}


@pytest.mark.parametrize("content", ["", "stages: [", "[]", "stages: {other: {}}"])
def test_a_damaged_graph_records_no_outputs(project: Path, content: str) -> None:
    (project / "dvc.yaml").write_text(content, encoding="utf-8")
    record_stage_end(project, "train", exit_code=0, reason="")
    assert load_stage_runs(project)["train"].outputs == {}


def test_outside_a_dvc_project_nothing_is_recorded(tmp_path: Path) -> None:
    record_stage_end(tmp_path, "train", exit_code=0, reason="")
    assert list(tmp_path.iterdir()) == []
