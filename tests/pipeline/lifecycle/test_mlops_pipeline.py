"""A model goes from DataFrames to Production by the calls of a notebook."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from pipeline import MLOpsPipeline, files
from pipeline.config.composition import compose
from pipeline.errors import ConfigError, GateRefused, TargetRefused, UsageError
from pipeline.lifecycle.in_memory_training import estimator_model_config
from pipeline.modeling.estimators import build_estimator, estimator_to_config
from pipeline.state import open_state
from pipeline.tracking.run_store import RunStore
from tests.fixtures.small_packages import parts, write_small_package
from tests.fixtures.toy_dataset import ROOT, settings

pytestmark = pytest.mark.usefixtures("heavy_computation")

SETTINGS = (
    "training.folds=3",
    "evaluation.importance_repeats=1",
    "promotion.baselines.depth_2_tree=null",
    "promotion.metric_limits.ece=0.2",
    "promotion.test=non_inferiority",
    "promotion.margin=0.2",
)
N_ROWS = 1500
EXAMPLE_ROWS = 6000  # enough test rows to show that a model is better than the version in Production


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("stores")
    files.write_text(root / "params.yaml", compose(SETTINGS, conf=ROOT / "conf").text)
    (root / "dvc.yaml").touch()
    RunStore(root).client()
    open_state(root).close()
    return root


@pytest.fixture
def mlops(stores: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MLOpsPipeline:
    for name in ("MLOPS_STATE_URL", "MLFLOW_TRACKING_URI", "DVC_ROOT"):
        monkeypatch.delenv(name, raising=False)
    shutil.copytree(stores, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    return MLOpsPipeline(experiment_name="personality_classification", model_name="personality_model")


@cache
def train_and_test_arguments(n_rows: int = N_ROWS) -> tuple[pd.DataFrame, Any, pd.DataFrame, Any]:
    rows = parts("personality", n_rows)
    target = rows.train.columns[-1]
    return (
        rows.train.drop(columns=target),
        rows.train[target],
        rows.test.drop(columns=target),
        rows.test[target],
    )


def train(mlops: MLOpsPipeline, model: Any, **options: Any) -> Any:
    X_train, y_train, X_test, y_test = train_and_test_arguments()
    return mlops.train_and_track_model(
        model=model, X_train=X_train, y_train=y_train, X_test=X_test, y_test=y_test, **options
    )


def test_a_model_goes_from_frames_to_production(mlops: MLOpsPipeline) -> None:
    rows = parts("personality", N_ROWS)
    checked = mlops.validate_and_track_data(rows.train, rows.test)
    assert checked["train"]["is_valid"]
    first = train(mlops, LogisticRegression(), model_params={"C": 1.0}, register_model=True)
    assert (first.version.version, first.version.stage, first.gates.verdict) == (1, "None", "promote")
    mlops.promote_model(model_version="1", stage="Production")
    second = train(mlops, HistGradientBoostingClassifier(max_iter=40), register_model=True)
    assert second.gates.champion == first.package.digest
    best = mlops.get_best_model("log_loss")
    losses = [trained.cross_validated["log_loss"] for trained in (first, second)]
    assert (best.version.version, best.value) == (1 + losses.index(min(losses)), min(losses))
    assert list(mlops.registry.load_model("personality_model").predict(rows.test.head(3))) == list(
        first.package.predict(rows.test.head(3))
    )
    report = mlops.generate_mlops_report()
    assert (report.n_runs, report.deployed_versions, report.generation, report.is_audit_trail_intact) == (
        3,
        {"Production": 1},
        1,
        True,
    )
    assert "| 2 | 1.1.0 | None |" in report.as_markdown()
    assert json.dumps(report.as_dict())


def test_the_run_holds_parameters_metrics_gates_and_the_package(mlops: MLOpsPipeline) -> None:
    trained = train(mlops, LogisticRegression(C=0.5))
    assert trained.version is None
    (run,) = mlops.tracker.search_runs({"mlops.kind": "model"})
    assert run.run_id == trained.run_id
    assert (run.params["C"], run.tags["mlops.package"]) == ("0.5", trained.package.digest)
    assert run.metrics["test.log_loss"] == pytest.approx(trained.metrics["log_loss"])
    registered = mlops.registry.register_model(f"runs:/{trained.run_id}/model", "personality_model")
    assert registered.digest == trained.package.digest


def test_an_estimator_of_a_run_is_no_version_and_the_message_names_the_way(mlops: MLOpsPipeline) -> None:
    estimator = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    with mlops.tracker.start_run("an estimator alone") as run:
        mlops.tracker.log_model(estimator, "model")
    with pytest.raises(UsageError, match=r"holds an estimator alone.*train_and_track_model.*register_model=True"):
        mlops.registry.register_model(f"runs:/{run.run_id}/model", "personality_model")
    assert [model.name for model in mlops.registry.list_models()] == []


def test_a_package_logged_by_the_tracker_is_registered_and_listed_by_name(mlops: MLOpsPipeline) -> None:
    write_small_package(Path("models/candidate"), "personality", "model=naive_bayes", n_rows=400)
    with mlops.tracker.start_run("a package") as run:
        mlops.tracker.log_model("models/candidate", "model")
    mlops.registry.register_model(f"runs:/{run.run_id}/model", "personality_model", description="Naive Bayes")
    assert [model.name for model in mlops.registry.list_models()] == ["personality_model"]


def test_the_commit_is_that_of_the_project_whatever_the_current_folder(
    mlops: MLOpsPipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "project"
    git = ("git", "-c", "user.name=a", "-c", "user.email=a@example.org")
    for arguments in (("init", "-q"), ("add", "params.yaml"), ("commit", "-qm", "Start")):
        subprocess.run([*git, *arguments], cwd=root, check=True)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, check=True, capture_output=True, text=True)
    monkeypatch.chdir(tmp_path)
    mlops.root = root
    trained = train(mlops, LogisticRegression(), register_model=True)
    (run,) = mlops.tracker.search_runs({"mlops.kind": "model"})
    assert run.tags["git.commit"] == trained.version.tags["git.commit"] == commit.stdout.strip()


def test_what_the_gates_reject_is_promoted_by_force_alone(mlops: MLOpsPipeline) -> None:
    mlops.config = settings(*SETTINGS, "promotion.max_size_mb=0.001")
    trained = train(mlops, LogisticRegression(), register_model=True)
    assert trained.gates.verdict == "reject"
    with pytest.raises(GateRefused, match="size"):
        mlops.promote_model(1, "Production")
    assert mlops.promote_model(1, "Production", force=True, reason="a demonstration").after.version("Production") == 1


def test_undeclared_frames_get_an_inferred_schema(mlops: MLOpsPipeline) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"amount": rng.normal(size=400), "plan": rng.choice(["basic", "pro"], 400), 7: rng.random(400)}
    )
    frame.loc[::9, "amount"] = np.nan
    frame["joined"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(400), unit="D")
    labels = np.where(frame["amount"].fillna(0) + (frame["plan"] == "pro") + rng.normal(0, 0.3, 400) > 0.5, 1, 0)
    trained = mlops.train_and_track_model(LogisticRegression(), frame[:300], labels[:300], frame[300:], labels[300:])
    assert trained.package.classes == ("0", "1")
    assert trained.package.schema.feature_names == ("amount", "plan", "7")
    assert trained.metrics["accuracy"] is not None
    assert trained.metrics["accuracy"] > 0.7


def test_arrays_and_labels_that_do_not_fit_are_refused(mlops: MLOpsPipeline) -> None:
    X, y = np.zeros((10, 2)), np.arange(9) % 2
    with pytest.raises(UsageError, match="10 rows and 9 labels"):
        mlops.train_and_track_model(LogisticRegression(), X, y, X, y)
    with pytest.raises(UsageError, match="different columns"):
        mlops.train_and_track_model(LogisticRegression(), X, y, X[:, :1], y)
    with pytest.raises(TargetRefused, match="does not give probabilities"):
        train(mlops, LinearSVC())


def test_without_a_version_there_is_no_best_model(mlops: MLOpsPipeline) -> None:
    with pytest.raises(UsageError, match="no registered version has the metric log_loss"):
        mlops.get_best_model()


@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(C=0.3, class_weight={0: 1.0, 1: 2.0}),
        HistGradientBoostingClassifier(max_leaf_nodes=None, learning_rate=np.float64(0.2)),
        VotingClassifier([("a", LogisticRegression(C=2)), ("b", RandomForestClassifier(n_jobs=4))], voting="soft"),
    ],
    ids=lambda estimator_: type(estimator_).__name__,
)
def test_an_estimator_is_declared_so_that_it_is_built_again(estimator: Any) -> None:
    again = build_estimator(estimator_model_config(estimator), seed=1)
    declared = estimator_to_config(estimator)
    assert type(again) is type(estimator)
    assert estimator_to_config(again) == {**declared, **estimator_to_config(again)}
    assert files.canonical_json(declared)


def test_a_function_among_the_arguments_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"HistGradientBoostingClassifier\.scoring: function cannot be stored"):
        estimator_to_config(HistGradientBoostingClassifier(scoring=lambda *_: 0.0))


def test_the_examples_of_the_documentation_run(mlops: MLOpsPipeline, capsys: pytest.CaptureFixture[str]) -> None:
    write_small_package(Path("models/candidate"), "personality", "model=naive_bayes", n_rows=400)
    X_train, y_train, X_test, y_test = train_and_test_arguments(EXAMPLE_ROWS)
    rows = parts("personality", EXAMPLE_ROWS)
    your_model = HistGradientBoostingClassifier(max_depth=3, max_iter=60)
    names = {"train_data": rows.train, "test_data": rows.test, "your_model": your_model}
    names |= {"X_train": X_train, "y_train": y_train, "X_test": X_test, "y_test": y_test}
    blocks = re.findall(
        r"^```python\n(.*?)^```",
        (ROOT / "docs/reference/registry.md").read_text(encoding="utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    assert len(blocks) == 2
    for block in blocks:
        exec(block, names)
    assert [version.stage for version in mlops.registry.list_models()] == ["Archived", "Production"]
    assert "verdict: promote" in capsys.readouterr().out
