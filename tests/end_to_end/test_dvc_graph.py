"""Which edit runs which stage again, with real DVC and git."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.proof import proof_rounds
from tests.fixtures.workspace import STAGES

if TYPE_CHECKING:
    from tests.fixtures.workspace import Workspace


def test_a_second_repro_and_edits_that_no_stage_reads_run_no_stage_but_compose(small: Workspace) -> None:
    assert small.repro() == set()
    small.edit("conf/drift/default.yaml", "alpha: 0.02", "alpha: 0.01")
    assert small.repro() == {"compose"}
    small.edit("conf/model/hist_gradient_boosting.yaml", "# Which estimator is trained", "# Which estimator is fitted")
    assert small.repro() == {"compose"}


def test_a_seed_keeps_the_rows_and_runs_the_rest(small: Workspace) -> None:
    small.edit("conf/base.yaml", "seed: 42 ", "seed: 43 ")
    assert small.repro() == set(STAGES) - {"ingest", "validate"}


def test_an_experiment_is_comparable_and_git_checkout_restores_the_old_results(small: Workspace) -> None:
    """An edit and an override both apply, and the origin of each value is recorded."""
    before = small.outputs()
    small.edit("conf/training/default.yaml", "calibration: none ", "calibration: sigmoid ")
    small.run("dvc", "exp", "run", "-n", "forest", "-S", "model=random_forest", "-S", "seed=5")
    assert small.outputs()["models/candidate"] != before["models/candidate"]
    _check_composed_settings(small)
    _check_diffs(small)
    assert small.repro() == set()
    small.run("git", "checkout", ".")
    assert small.repro() == {"compose"}
    assert small.outputs() == before
    assert small.run("mlops", "verify").returncode == 0


@pytest.mark.parametrize("data", ("wine", "breast_cancer")[: proof_rounds(1, long=2)])
def test_another_problem_needs_only_another_data_setting(small: Workspace, data: str) -> None:
    small.run("dvc", "exp", "run", "-S", f"data={data}")
    metrics = json.loads(small.read("metrics/test.json"))
    assert 0.85 < metrics["accuracy"] <= 1.0


def _check_composed_settings(small: Workspace) -> None:
    composed = small.read("params.yaml")
    assert "calibration: sigmoid" in composed
    assert "sklearn.ensemble.RandomForestClassifier" in composed
    origin = {entry["key"]: entry for entry in json.loads(small.read("reports/config_origin.json"))}
    assert origin["seed"]["value"] == 5
    assert "seed=5" in str(origin["seed"]["override"])


def _check_diffs(small: Workspace) -> None:
    params = small.run("dvc", "params", "diff", "HEAD", "--md").stdout
    metrics = small.run("dvc", "metrics", "diff", "HEAD", "--md").stdout
    shown = small.run("dvc", "exp", "show", "--csv").stdout
    small.run("dvc", "plots", "diff", "HEAD", "--out", "compared")
    assert "model.estimator.n_estimators" in params
    assert "log_loss" in metrics
    assert "forest" in shown
    assert len(shown.splitlines()) == 4
    assert "roc" in small.read("compared/index.html").lower()
