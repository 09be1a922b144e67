"""The example of an extension, installed beside the engine, takes part in the whole graph and in serving."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from tests.fixtures.workspace import Workspace

pytestmark = pytest.mark.usefixtures("starts_processes")

MODEL = """
name: shrunk_logistic
estimator:
  _target_: acme_mlops.models.ShrunkLogistic
  shrinkage: 0.05
inputs: {missing: impute, categories: one_hot, scale: standard}
"""


@pytest.fixture
def team_project(small: Workspace, tmp_path: Path) -> Workspace:
    """A project whose environment has the example package in version 1.0.0."""
    packages = tmp_path / "packages"
    uv = Path(sys.executable).with_name("uv")
    # A copy, because setuptools builds inside of the folder, and would use what it built before.
    source = shutil.copytree(ROOT / "examples/extension", tmp_path / "extension")
    options = ["-q", "--no-deps", "--no-build-isolation", "--python", sys.executable, "--target", str(packages)]
    subprocess.run([uv, "pip", "install", *options, source], check=True, timeout=120)
    return replace(small, env={**small.env, "PYTHONPATH": f"{packages}:{small.root}"}, has_forks=False)


def test_a_team_adds_a_part_of_each_kind_without_a_fork(team_project: Workspace, tmp_path: Path) -> None:
    project = team_project
    config = project.root / "conf/config.yaml"
    config.write_text(f"{project.read('conf/config.yaml')}\nextensions: [acme-mlops==1.0.0]\n", encoding="utf-8")
    project.edit("conf/config.yaml", "model: hist_gradient_boosting", "model: shrunk_logistic")
    (project.root / "conf/model/shrunk_logistic.yaml").write_text(MODEL.lstrip(), encoding="utf-8")
    project.edit("conf/evaluation/default.yaml", "metrics: [log_loss,", "metrics: [decision_cost, log_loss,")
    project.edit("conf/promotion/default.yaml", "  ece: 0.2 ", "  decision_cost: 2.0\n  ece: 0.2 ")
    project.edit("conf/data/personality.yaml", "kind: by_hash", "kind: every_fifth")
    project.edit("conf/data/personality.yaml", "{in_range: {min_value: 0, max_value: 11}}", "{waking_hours: 11, ge: 0}")

    assert {"validate", "split", "train", "evaluate", "register"} <= project.repro()

    cost = json.loads(project.read("metrics/test.json"))["decision_cost"]
    lineage = json.loads(project.read("models/candidate/lineage.json"))
    assert 0 < cost < 1
    assert "extensions.acme-mlops==1.0.0" in lineage["settings"]
    assert lineage["settings"]["model.estimator._target_"] == "acme_mlops.models.ShrunkLogistic"

    rows = tmp_path / "rows.csv"
    rows.write_text("Time_spent_Alone\n4\n12\n", encoding="utf-8")
    refused = project.run(
        "mlops", "predict", str(rows), "--version", "2", "--output", str(tmp_path / "out.csv"), expect=4
    )
    assert "of waking hours" in refused.stderr
    assert "acme_mlops.parts" in project.run("mlops", "extensions").stdout
