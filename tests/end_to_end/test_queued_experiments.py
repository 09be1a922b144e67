"""Queued experiments run in temporary copies and record into the workspace's own store."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.proof import is_long, proof_rounds
from tests.fixtures.workspace import publish_graph_runs

if TYPE_CHECKING:
    from tests.fixtures.workspace import Workspace


# Each seed adds one experiment for each model.
SEEDS = tuple(map(str, range(1, 1 + proof_rounds(1, long=2))))
MODELS = ("logistic_regression", "naive_bayes")[: proof_rounds(1, long=2)]


@pytest.mark.skipif(not is_long(), reason="graphs in the queue; run with --proof=long")
def test_queued_experiments_reach_the_store_of_the_workspace(small: Workspace) -> None:
    publish_graph_runs(small)
    seeds = f"seed={','.join(SEEDS)}"
    small.run("dvc", "exp", "run", "--queue", "-S", f"model={','.join(MODELS)}", "-S", seeds)
    small.run("dvc", "exp", "run", "--run-all")
    with closing(sqlite3.connect(small.root / "mlflow.db")) as store:
        rows = store.execute(
            "select p.value, s.value from runs r"
            " join params p on p.run_uuid = r.run_uuid and p.key = 'model.name'"
            " join params s on s.run_uuid = r.run_uuid and s.key = 'seed' where r.status = 'FINISHED'"
        ).fetchall()
    queued = {(model, seed) for model in MODELS for seed in SEEDS}
    assert queued <= set(rows)
    assert len(rows) == len(queued)
    assert small.repro() == set()
