"""Degradation becomes a branch and a trial with real DVC and git, also where processes are killed on the way."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline import state as store
from pipeline.config.config_loader import load_params
from pipeline.registry import ModelRegistry
from pipeline.retraining.retrain_loop import advance_retrains
from pipeline.retraining.retrain_steps import approve_retrain, run_retrain, run_step
from pipeline.state import LoopContext
from tests.pipeline.monitoring.log_fixtures import MODEL_NAME
from tests.pipeline.retraining.retrain_fixtures import log_labels, record_degradation

if TYPE_CHECKING:
    from pipeline.config.root_config import Config
    from tests.fixtures.workspace import Workspace


def learning_from_labels_alone(project: Workspace) -> Config:
    """Return the settings without the declared source: its rows of before the change would outweigh a few labels."""
    config = load_params(project.root / "params.yaml")
    retrain = config.lifecycle.retrain.model_copy(update={"include_source": False})
    lifecycle = config.lifecycle.model_copy(update={"retrain": retrain})
    return config.model_copy(update={"lifecycle": lifecycle})


def test_degradation_becomes_a_branch_and_a_trial_through_kills(small: Workspace) -> None:
    root = small.root
    head = small.run("git", "rev-parse", "HEAD").stdout
    files = small.outputs()
    state = store.open_state(root)
    record_degradation(root, at=state.clock())
    log_labels(root, 900, has_changed=True, at=state.clock())
    context = LoopContext(state, learning_from_labels_alone(small), root, now=state.clock(), mode="advise")
    assert [decision.action for decision in advance_retrains(context)] == ["propose retrain"]

    with state.reading() as connection:
        asked = store.find_retrain(connection, 1)
    remains = root / ".mlops/retrain/1/remains.txt"  # of a process that was killed while it checked out
    remains.parent.mkdir(parents=True)
    remains.touch()
    person = replace(context, mode="act", actor="ada")
    written = run_step(person, approve_retrain(person, asked))
    assert (written.state, written.n_rows, written.n_labels) == ("snapshot", 630, 900)
    shutil.rmtree(root / ".mlops/retrain/1")  # lost with the machine while it trained
    trained = run_step(person, written)
    assert (trained.state, trained.error) == ("trained", None)
    ended = run_retrain(person, trained)

    open_gates = [gate for gate in trained.facts["evaluation"]["gates"]["gates"] if gate["result"] != "pass"]
    assert open_gates == []
    assert (ended.state, ended.trial, ended.branch) == ("on_trial", 1, f"retrain/{MODEL_NAME}/1")
    assert ModelRegistry(root).lineage(MODEL_NAME, ended.version or 0).commit == ended.commit_sha
    report = small.run("git", "show", f"{ended.branch}:reports/retrain/1.md").stdout
    assert "log_loss became significantly worse" in report
    assert (small.run("git", "rev-parse", "HEAD").stdout, small.outputs()) == (head, files)
    assert small.run("git", "status", "--porcelain").stdout == ""
    assert small.run("git", "worktree", "list", "--porcelain").stdout.count("worktree ") == 1
    with state.reading() as connection:
        assert store.current_deployment(connection, MODEL_NAME).version("Production") == 1
        assert store.verify_audit_chain(connection) == []
    state.close()
