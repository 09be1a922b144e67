"""A search on a few hundred rows: what it chooses, what it writes, and how it is resumed."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
import yaml

from pipeline.config.composition import compose
from pipeline.config.config_loader import build_config
from pipeline.config.groups.lifecycle_config import SelectConfig
from pipeline.errors import ConfigError, Conflict, DataError
from pipeline.modeling.training import train_classifier
from pipeline.project import paths
from pipeline.schema import Schema
from pipeline.selection import next_experiment_name, select_model, use_experiment
from pipeline.sweeps.trial_rows import load_train_rows
from tests.fixtures.toy_dataset import ROOT
from tests.pipeline.tracking.graph_outputs import make_rows

if TYPE_CHECKING:
    from pathlib import Path

OPTIONS = SelectConfig(when="never", search="penalty", rule="one_standard_error", race=2.0, budget_s=600)
SEARCH = """# @package _global_
# How strong a penalty?
defaults:
  - override /model: logistic_regression
  - override /hydra/sweeper: optuna
hydra:
  sweeper:
    n_trials: 3
    params:
      model.estimator.C: choice(0.000001, 0.5, 1.0)
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Enter a project whose present model is a random forest of one tree, which nearly any other model beats."""
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    shutil.copy(ROOT / "dvc.yaml", tmp_path / "dvc.yaml")
    for code in ("pipeline", "stages"):
        (tmp_path / code).symlink_to(ROOT / code)
    conf = tmp_path / "conf"
    needed = ("random_forest", "logistic_regression", "calibrated_forest")
    for group in ("model", "hparams_search", "experiment", "scenario", "data", "data/profile"):
        for path in (conf / group).glob("*.yaml"):
            if path.stem not in (*needed, "personality", "s5e7"):
                path.unlink()
    (conf / "hparams_search/penalty.yaml").write_text(SEARCH, encoding="utf-8")
    edit(conf / "config.yaml", "model: hist_gradient_boosting", "model: random_forest")
    edit(conf / "data/personality.yaml", "rows: 18524", "rows: 600")
    edit(conf / "training/default.yaml", "folds: 5", "folds: 3")
    edit(conf / "training/default.yaml", "calibration: none", "calibration: sigmoid")
    edit(conf / "model/random_forest.yaml", "n_estimators: 200", "n_estimators: 1")
    monkeypatch.chdir(tmp_path)
    make_rows(tmp_path)
    return tmp_path


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_the_best_penalty_replaces_a_poor_model(project: Path) -> None:
    lines: list[str] = []
    selection = select_model(OPTIONS, "auto_1", on_progress=lines.append)
    assert selection.chosen.overrides["model.estimator.C"] in (0.5, 1.0)
    assert {result.label: result.status for result in selection.results}["C=1e-06"] == "dropped"
    assert selection.n_fits < selection.n_possible_fits == 12
    assert [line.partition(":")[0] for line in lines] == ["fold 1", "fold 2", "fold 3"]
    written = yaml.safe_load((project / "conf/experiment/auto_1.yaml").read_text(encoding="utf-8"))
    assert written["defaults"] == [{"override /model": "logistic_regression"}, "_self_"]
    assert selection.chosen.loss == pytest.approx(cross_validated_loss("experiment=auto_1"), rel=1e-9)
    with pytest.raises(Conflict, match="already exists"):
        select_model(OPTIONS, "auto_1")


def cross_validated_loss(*overrides: str) -> float:
    config = build_config(compose(overrides).values, where="conf")
    schema, rows = Schema.from_config(config.data), load_train_rows(config)
    result = train_classifier(
        rows, schema, config.features, model=config.model, training=config.training, seed=config.seed
    )
    true_class = rows[schema.target.column].map(list(schema.target.classes).index).to_numpy(dtype=int)
    return float(-np.log(result.out_of_fold[np.arange(len(rows)), true_class]).mean())


def test_a_search_whose_budget_was_over_continues_and_leaves_present_settings_that_win(project: Path) -> None:
    edit(project / "conf/config.yaml", "model: random_forest", "model: logistic_regression")
    edit(project / "conf/hparams_search/penalty.yaml", "0.000001, 0.5, 1.0", "0.000001")
    ticks = iter([0.0, 1.0, 1.0, *[1e6] * 100])  # the budget ends after the first fold
    with pytest.raises(DataError, match=r"lifecycle\.select\.budget_s: 600 s were over before configurations"):
        select_model(OPTIONS, "auto_1", clock=lambda: next(ticks))
    stored = {path: path.stat().st_mtime_ns for path in (project / paths.SELECTION_LEDGER).glob("*/*.npz")}
    assert len(stored) == 2
    selection = select_model(OPTIONS, "auto_1")
    assert {path: path.stat().st_mtime_ns for path in stored} == stored
    assert (selection.was_stopped, selection.n_folds) == (False, 3)
    assert (selection.chosen.label, selection.experiment) == ("as configured", None)
    assert not (project / "conf/experiment/auto_1.yaml").exists()


def test_a_search_that_changes_the_folds_is_refused(project: Path) -> None:
    edit(
        project / "conf/hparams_search/penalty.yaml",
        "model.estimator.C: choice(0.000001, 0.5, 1.0)",
        "seed: choice(1, 2)",
    )
    with pytest.raises(ConfigError, match=r"penalty\.yaml: changes seed; a race compares"):
        select_model(OPTIONS, "auto_1")


def test_names_count_upwards_and_an_experiment_becomes_the_default(project: Path) -> None:
    assert next_experiment_name() == "auto_1"
    (project / "conf/experiment/auto_9.yaml").write_text("# @package _global_\n# Which seed?\nseed: 5\n")
    assert next_experiment_name() == "auto_10"
    use_experiment("auto_9")
    assert compose().values["seed"] == 5
    use_experiment("calibrated_forest")
    assert compose().values["training"]["calibration"] != "none"
    (project / "conf/config.yaml").write_text("# Which?\nseed: 1\n")
    with pytest.raises(ConfigError, match="has no line"):
        use_experiment("auto_9")
