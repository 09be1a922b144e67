"""Which edit runs which stage again, with real DVC and git."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.workspace import STAGES

if TYPE_CHECKING:
    from tests.fixtures.workspace import Workspace


def test_a_second_repro_runs_nothing(small: Workspace) -> None:
    assert small.repro() == set()


def test_a_hyper_parameter_runs_training_and_what_follows(small: Workspace) -> None:
    small.edit("conf/model/hist_gradient_boosting.yaml", "learning_rate: 0.05", "learning_rate: 0.06")
    assert small.repro() == {"compose", "train", "evaluate", "register"}


def test_a_drift_limit_runs_compose_only(small: Workspace) -> None:
    small.edit("conf/drift/default.yaml", "alpha: 0.02", "alpha: 0.01")
    assert small.repro() == {"compose"}


def test_a_changed_comment_runs_compose_only(small: Workspace) -> None:
    small.edit("conf/model/hist_gradient_boosting.yaml", "# Which estimator is trained", "# Which estimator is fitted")
    assert small.repro() == {"compose"}


def test_a_seed_keeps_the_rows_and_runs_the_rest(small: Workspace) -> None:
    small.edit("conf/config.yaml", "seed: 42 ", "seed: 43 ")
    assert small.repro() == set(STAGES) - {"ingest", "validate"}


def test_an_experiment_is_comparable_and_git_checkout_restores_the_old_results(small: Workspace) -> None:
    before = small.outputs()
    small.run("dvc", "exp", "run", "-n", "forest", "-S", "model=random_forest")
    experiment = small.outputs()
    assert experiment["models/candidate"] != before["models/candidate"]
    _differences_are_shown(small)
    assert small.repro() == set()
    small.run("git", "checkout", ".")
    assert small.repro() == {"compose"}
    assert small.outputs() == before
    assert small.run("mlops", "verify").returncode == 0


def test_an_edit_and_an_override_both_apply_and_their_origin_is_recorded(small: Workspace) -> None:
    small.edit("conf/training/default.yaml", "calibration: none ", "calibration: sigmoid ")
    small.run("dvc", "exp", "run", "-S", "model=logistic_regression", "-S", "seed=5")
    composed = small.read("params.yaml")
    assert "calibration: sigmoid" in composed
    assert "sklearn.linear_model.LogisticRegression" in composed
    assert small.repro() == set()
    origin = {entry["key"]: entry for entry in json.loads(small.read("reports/config_origin.json"))}
    assert origin["seed"]["value"] == 5
    assert "seed=5" in str(origin["seed"]["override"])


@pytest.mark.parametrize("data", ["breast_cancer", "wine"])
def test_another_problem_is_another_file(small: Workspace, data: str) -> None:
    small.run("dvc", "exp", "run", "-S", f"data={data}")
    metrics = json.loads(small.read("metrics/test.json"))
    assert 0.85 < metrics["accuracy"] <= 1.0


def _differences_are_shown(small: Workspace) -> None:
    params = small.run("dvc", "params", "diff", "HEAD", "--md").stdout
    metrics = small.run("dvc", "metrics", "diff", "HEAD", "--md").stdout
    shown = small.run("dvc", "exp", "show", "--csv").stdout
    small.run("dvc", "plots", "diff", "HEAD", "--out", "compared")
    assert "model.estimator.n_estimators" in params
    assert "log_loss" in metrics
    assert "forest" in shown
    assert len(shown.splitlines()) == 4
    assert "roc" in small.read("compared/index.html").lower()
