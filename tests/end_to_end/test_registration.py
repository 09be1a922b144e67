"""What becomes of a candidate at the end of the graph, with real DVC and git."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pipeline.registry import ModelRegistry
from tests.end_to_end.workspace import stages_run

if TYPE_CHECKING:
    from tests.end_to_end.workspace import Workspace

pytestmark = pytest.mark.slow


def stages_of(project: Workspace) -> list[str]:
    return [version.stage for version in ModelRegistry(project.root).list_models()]


def test_the_first_version_serves_and_the_next_that_passes_is_staged(small: Workspace) -> None:
    assert stages_of(small) == ["Production"]
    small.edit("conf/model/hist_gradient_boosting.yaml", "learning_rate: 0.05", "learning_rate: 0.06")
    small.repro()
    assert stages_of(small) == ["Production", "Staging"]


def test_a_rejected_candidate_ends_with_exit_code_5_and_everything_is_kept_to_look_at(small: Workspace) -> None:
    small.edit("conf/promotion/default.yaml", "ece: 0.2", "ece: 0.000001")
    small.edit("conf/model/hist_gradient_boosting.yaml", "learning_rate: 0.05", "learning_rate: 0.06")
    failed = small.run("dvc", "repro", expect=255)
    assert "exited with 5" in failed.stderr
    assert "limit ece" in failed.stdout
    gates = json.loads(small.read("reports/registration.json"))
    assert gates["verdict"] == "reject"
    assert stages_of(small) == ["Production", "None"]
    small.run("python", "-m", "stages.register", "-cd", ".", "-cn", "params", expect=5)
    small.edit("conf/promotion/default.yaml", "ece: 0.000001", "ece: 0.2")
    assert stages_run(small.run("dvc", "repro").stdout) == {"compose", "register"}
