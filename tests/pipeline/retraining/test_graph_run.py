"""The graph of a retrain runs within its budget, and a refusal of its gates is no failure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psutil
import pytest

from pipeline.errors import Conflict, DependencyUnavailable, GateRefused
from pipeline.files import exclusive_lock, write_json
from pipeline.retraining.graph_run import GraphBudget, run_graph
from pipeline.retraining.retrain_worktree import RetrainWorktree

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("starts_processes")

GRAPH = "stages:\n  register:\n    cmd: exit 5\n"


@pytest.fixture
def worktree(tmp_path: Path) -> RetrainWorktree:
    """A project of DVC with one stage that ends with code 5, as the gates do."""
    made = RetrainWorktree(tmp_path, 1)
    (made.checkout / ".dvc").mkdir(parents=True)
    (made.checkout / ".dvc/config").write_text("[core]\n    no_scm = true\n    analytics = false\n", encoding="utf-8")
    (made.checkout / "dvc.yaml").write_text(GRAPH, encoding="utf-8")
    return made


def test_gates_that_refuse_the_candidate_are_named(worktree: RetrainWorktree) -> None:
    record = {"stage": "register", "exit_code": 5, "reason": "Failed gates: size", "outputs": {}}
    write_json(worktree.checkout / ".dvc/tmp/mlops-stages/register.json", record)
    with pytest.raises(GateRefused, match="Failed gates: size"):
        run_graph(worktree, GraphBudget(60.0, should_stop=lambda: False))


@pytest.mark.parametrize(
    ("budget", "error", "message"),
    [
        (GraphBudget(0.0, should_stop=lambda: False), DependencyUnavailable, "raise lifecycle.retrain.max_cpu_s"),
        (GraphBudget(60.0, should_stop=lambda: True), Conflict, "stopped while it trained"),
    ],
)
def test_a_graph_that_must_end_leaves_no_process(
    worktree: RetrainWorktree, budget: GraphBudget, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        run_graph(worktree, budget)
    folders = [process.info["cwd"] for process in psutil.process_iter(["cwd"])]
    assert str(worktree.folder) not in folders


def test_a_stage_that_ignores_the_request_to_end_is_ended(worktree: RetrainWorktree) -> None:
    stage = "import subprocess as s; s.run(['sh', '-c', 'trap \"\" TERM; echo > ready; sleep 60; :'], check=False)"
    budget = GraphBudget(60.0, should_stop=(worktree.folder / "ready").exists, grace_s=0.1)
    with pytest.raises(Conflict, match="stopped while it trained"):
        run_graph(worktree, budget, command=("-c", stage))
    folders = [process.info["cwd"] for process in psutil.process_iter(["cwd"])]
    assert str(worktree.folder) not in folders


def test_a_second_graph_of_the_same_retrain_is_refused(worktree: RetrainWorktree) -> None:
    with (
        exclusive_lock(worktree.lock, operation="training"),
        pytest.raises(Conflict, match="retrain 1: another process trains it now"),
    ):
        run_graph(worktree, GraphBudget(60.0, should_stop=lambda: False))
