"""Sweeps on a few hundred rows: trials, failures, resuming, launchers, adoption."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from pipeline.errors import ConfigError, Conflict, UsageError
from pipeline.sweeps import adopt_run
from pipeline.tracking import ExperimentTracker
from tests.fixtures.proof import is_long, proof_rounds
from tests.pipeline.sweeps.sweep_project import REPOSITORY, Project

N_CONFIGURATIONS = proof_rounds(4, long=20)


def _graph_outputs(project: Project) -> set[Path]:
    return {path for path in project.root.rglob("*") if path.is_file() and "outputs" not in path.parts}


@pytest.mark.usefixtures("starts_processes")
def test_a_sweep_is_one_run_with_children_named_by_what_varies_and_leaves_the_graph_alone(project: Project) -> None:
    before = _graph_outputs(project)
    printed = project.train("-m", "model=logistic_regression,naive_bayes", "seed=42,2", "training.calibration=sigmoid")
    changed_roots = {path.relative_to(project.root).parts[0] for path in _graph_outputs(project) - before}
    assert changed_roots <= {"mlruns", "mlflow.db-wal", "mlflow.db-shm", "state"}
    (parent,) = project.runs("sweep")
    children = project.runs("trial")
    assert parent.name == "sweep over model, seed on personality"
    assert {run.tags["mlflow.parentRunId"] for run in children} == {parent.run_id}
    assert {run.name for run in children} == {
        f"model={model} seed={seed}" for model in ("logistic_regression", "naive_bayes") for seed in (42, 2)
    }
    best = min(children, key=lambda run: run.metrics["cv.log_loss"])
    assert parent.is_finished
    assert parent.tags["mlops.best_run"] == best.run_id
    assert parent.metrics["best.cv.log_loss"] == best.metrics["cv.log_loss"]
    assert "[4/4]" in printed
    last = [line for line in printed.splitlines() if "model=" in line][-1]
    assert best.run_id[:8] in last


@pytest.mark.usefixtures("starts_processes")
def test_configurations_survive_failing_ones_and_are_resumed(project: Project) -> None:
    overrides = ("model=logistic_regression", f"model.estimator.C={','.join(map(str, range(1, N_CONFIGURATIONS)))},-1")
    n_good = N_CONFIGURATIONS - 1
    printed = project.train("-m", *overrides)
    assert f"{n_good} finished (0 already known), 1 failed" in printed
    assert f"[{N_CONFIGURATIONS}/{N_CONFIGURATIONS}]" in printed or f"[{n_good}/{N_CONFIGURATIONS}]" in printed
    assert "must be a float in the range" in printed
    again = project.train("-m", *overrides)
    assert f"{n_good} finished ({n_good} already known), 1 failed" in again
    assert len({run.tags["mlops.fingerprint"] for run in project.runs("trial") if run.is_finished}) == n_good


@pytest.mark.usefixtures("starts_processes")
def test_the_first_failure_ends_a_sweep_by_choice(project: Project) -> None:
    printed = project.train("-m", "model=naive_bayes", "training.folds=1,2", "tracking.fail_fast=true", expect=3)
    assert "training.folds: found 1" in printed
    assert "0 finished (0 already known), 1 failed" in printed
    assert project.runs("trial") == []


@pytest.mark.usefixtures("starts_processes")
def test_a_sweep_in_which_all_fail_is_refused(project: Project) -> None:
    printed = project.train("-m", "model=naive_bayes", "training.folds=0,1", expect=3)
    assert "every trial of the sweep failed" in printed
    assert "Traceback" not in printed


@pytest.mark.skipif(not is_long(), reason="two sweeps; run with --proof=long")
@pytest.mark.usefixtures("starts_processes")
def test_the_joblib_launcher_gives_the_same_results(project: Project) -> None:
    project.train("-m", "model=naive_bayes", "seed=42")
    printed = project.train("-m", "model=naive_bayes,knn", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    assert "2 finished (1 already known), 0 failed" in printed


@pytest.mark.usefixtures("starts_processes")
def test_optuna_searches_and_proposes_the_same_when_it_is_resumed(project: Project) -> None:
    overrides = ("-m", "hparams_search=logistic_regression", "hydra.sweeper.n_trials=2")
    printed = project.train(*overrides)
    (parent,) = project.runs("sweep")
    assert parent.name == "sweep over C on personality"
    assert "2 finished (0 already known), 0 failed" in printed
    assert "2 finished (2 already known), 0 failed" in project.train(*overrides)


@pytest.mark.usefixtures("starts_processes")
def test_a_search_in_the_wrong_direction_is_refused_before_it_starts(project: Project) -> None:
    overrides = ("-m", "hparams_search=logistic_regression", "training.selection_metric=roc_auc")
    printed = project.train(*overrides, expect=3)
    assert "add hydra.sweeper.direction=maximize" in printed
    assert project.runs("trial") == []


@pytest.mark.usefixtures("starts_processes")
def test_a_trial_on_other_rows_than_those_on_disk_is_refused(project: Project) -> None:
    printed = project.train("data.source.rows=700", expect=3)
    assert "data.source.rows=600" in printed
    assert "`dvc repro`" in printed


@pytest.mark.usefixtures("starts_processes")
def test_the_adopted_experiment_composes_to_the_settings_of_the_trial(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.train("model=random_forest", "model.estimator.n_estimators=7", "seed=3", "training.calibration=isotonic")
    monkeypatch.chdir(project.root)
    (run,) = project.runs("trial")
    adopted = adopt_run(project.tracker, run.run_id[:8], "winner")
    written = yaml.safe_load(Path(adopted.path).read_text(encoding="utf-8"))
    assert written == {
        "defaults": [{"override /model": "random_forest"}, "_self_"],
        "seed": 3,
        "model": {"estimator": {"n_estimators": 7}},
        "training": {"calibration": "isotonic"},
    }
    printed = project.train("experiment=winner")
    assert "already known" in printed
    with pytest.raises(Conflict, match="already exists"):
        adopt_run(project.tracker, run.run_id, "winner")


def test_an_invalid_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="lower-case letters"):
        adopt_run(ExperimentTracker("nothing", root=tmp_path), "abcd", "../winner")


@pytest.mark.parametrize("path", sorted((REPOSITORY / "conf").glob("experiment/*.yaml")), ids=lambda path: path.stem)
def test_every_experiment_composes(path: Path) -> None:
    from pipeline.config.composition import compose
    from pipeline.config.config_loader import build_config

    composed = compose([f"experiment={path.stem}"], conf=REPOSITORY / "conf")
    assert build_config(composed.values, where="conf/").model.name


@pytest.mark.parametrize(
    "path", sorted((REPOSITORY / "conf").glob("hparams_search/*.yaml")), ids=lambda path: path.stem
)
def test_every_search_passes_the_target_guard(path: Path) -> None:
    from pipeline.config.composition import check_hydra_overrides

    check_hydra_overrides([f"hparams_search={path.stem}"], conf=REPOSITORY / "conf")
    with pytest.raises(ConfigError, match=r"optuna\.integration|is not"):
        check_hydra_overrides(
            [f"hparams_search={path.stem}", "hydra.sweeper._target_=os.system"], conf=REPOSITORY / "conf"
        )
