"""`mlops config check` and the first stage of the graph refuse what a later stage would refuse, in its words."""

from __future__ import annotations

import shutil
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

from pipeline import files
from pipeline.config.config_loader import build_config
from pipeline.config.params_file import write_params
from pipeline.data.sources import fetch_rows
from pipeline.data.splitters import split_train_test
from pipeline.errors import ConfigError, MlopsError
from pipeline.evaluation import evaluate_package
from pipeline.gates import GateInputs, evaluate_gates
from pipeline.modeling.mitigation_effect import train_with_mitigation
from pipeline.package import load_package
from pipeline.schema import Schema
from pipeline.serving.http.loopback import check_bind_address
from pipeline.settings_check import check_settings
from pipeline.validation import validate_rows
from tests.fixtures.composed_config import CONF, composed
from tests.fixtures.small_packages import parts, write_small_package

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.config.root_config import Config
    from pipeline.package import Package
    from tests.fixtures.cli import CliRunner

Changes = dict[str, Any]
N_ROWS = 300
CLASSES = ("Extrovert", "Introvert")
SQL = {"kind": "sql", "url_env": "NO_SUCH_DATABASE"}
COMPONENT = "data/profile/components"


def changed(changes: Changes, *overrides: str) -> Config:
    """Return the shipped settings with a value at each path of `changes`."""
    values = deepcopy(composed(*overrides).values)
    for path, value in changes.items():
        *keys, last = path.split("/")
        section = values
        for key in keys:
            section = section[key]
        section[last] = value
    return build_config(values, where="conf")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    path = tmp_path_factory.mktemp("settings_check") / "candidate"
    write_small_package(path, "personality", n_rows=N_ROWS)
    return load_package(path)


def run_stage(name: str, config: Config, *, root: Path, package: Package) -> None:
    """Run what the stage runs with these settings, on sound rows."""
    rows, schema = parts("personality", N_ROWS), Schema.from_config(config.data)
    if name == "ingest":
        fetch_rows(config.data, root=root)
    elif name == "validate":
        files.write_parquet(root / "rows.parquet", rows.test)
        validate_rows(root / "rows.parquet", schema, config.validation, name=config.data.name)
    elif name == "split":
        split_train_test(rows.train, schema, config.data.split, seed=config.seed)
    elif name == "train":
        train_with_mitigation(rows.train, schema, config)
    elif name == "evaluate":
        selection = config.training.selection_metric
        evaluate_package(
            package,
            rows.train,
            rows.test,
            config=config.evaluation,
            fairness=config.fairness,
            selection_metric=selection,
            seed=config.seed,
        )
    elif name == "register":
        evaluate_gates(package, GateInputs(rows.test, {}, {}), config.promotion)
    else:
        check_bind_address(config.serving.host, is_protected=config.serving.authentication == "required")


REFUSED: list[tuple[str, Changes, str]] = [
    ("ingest", {"data/source": SQL | {"query": "DELETE FROM t"}, "data/profile": None}, "expected a single SELECT"),
    ("ingest", {"data/source": SQL | {"query": "SELECT * FROM t"}, "data/profile": None}, "has no ORDER BY"),
    (
        "ingest",
        {"data/source": {"kind": "csv", "path": "data/external/absent.csv"}, "data/profile": None},
        "data/external/absent.csv not found; import it with",
    ),
    (
        "ingest",
        {"data/source": {"kind": "parquet", "path": "data/external/no/such.parquet"}, "data/profile": None},
        "not found; import it with",
    ),
    ("ingest", {COMPONENT: {}}, "data.profile.components: is empty"),
    ("ingest", {"data/columns/more": {"dtype": "Int64"}}, "weights.more: is missing"),
    ("ingest", {"data/columns/more": {"dtype": "string"}}, "weights.more: is missing"),
    ("validate", {"data/columns/Post_frequency/checks": {"nonsense": 1}}, "is not registered with Pandera"),
    ("ingest", {"data/columns/Stage_fear/checks": {}}, "list the categories of a category column"),
    (
        "validate",
        {"data/columns/Post_frequency/checks": {"in_range": {"min_value": 9, "max_value": 1}}},
        "checks.in_range",
    ),
    ("evaluate", {"fairness/pairs": [["Stage_fear", "Post_frequency"]]}, "fairness.pairs: Stage_fear is not protected"),
    (
        "train",
        {"fairness/mitigation": {"kind": "reweigh", "column": "no", "metric": None, "reason": "lawful", "budget": 0.1}},
        "fairness.mitigation.column: no column is called 'no'",
    ),
    ("split", {"data/split/kind": "nonsense"}, "data.split.kind: 'nonsense' is not known"),
    ("split", {"data/split/kind": "by_time"}, "data.split.column: is null"),
    ("train", {"training/selection_metric": "nonsense"}, "training.selection_metric: 'nonsense' is not known"),
    ("train", {"training/threshold/rule": "nonsense"}, "training.threshold.rule: 'nonsense' is not known"),
    (
        "train",
        {"training/threshold/rule": "max_mcc", "data/target/classes": [*CLASSES, "Both"], "data/target/positive": None},
        "max_mcc needs two classes",
    ),
    ("train", {"model/estimator/nonsense": 2}, "has no such argument"),
    ("train", {"model/estimator/n_jobs": 4}, "has no such argument"),
    ("train", {"model/estimator/memory": "cache"}, "reaches outside of the model"),
    ("train", {"model/estimator/max_iter": -5}, "must be an int in the range"),
    ("train", {"model/estimator": {"_target_": "sklearn.linear_model.Nope"}}, "is not an estimator class"),
    ("train", {"model/estimator": {"_target_": "sklearn.nope.Nope"}}, "does not exist"),
    ("train", {"model/estimator": {"_target_": "sklearn.linear_model.LinearRegression"}}, "is not a classifier"),
    ("train", {"model/estimator": {"_target_": "sklearn.svm.LinearSVC"}}, "does not give probabilities"),
    (
        "train",
        {
            "model/estimator": {"_target_": "sklearn.neighbors.KNeighborsClassifier"},
            "training/class_weight": "balanced",
        },
        "does not support weights",
    ),
    ("train", {"model/estimator/monotonic_cst": [1, 0]}, "monotonic_cst has shape (2,)"),
    ("train", {"model/estimator": {"_target_": "lightgbm.LGBMClassifier", "num_leaves": -5}}, "cannot be fitted"),
    ("evaluate", {"evaluation/metrics": ["log_loss", "nonsense"]}, "evaluation.metrics: 'nonsense' is not known"),
    ("evaluate", {"evaluation/slices/metric": "nonsense"}, "evaluation.slices.metric: 'nonsense' is not known"),
    ("register", {"promotion/metric": "nonsense"}, "promotion.metric: 'nonsense' is not known"),
    ("register", {"promotion/slices/metric": "nonsense"}, "promotion.slices.metric: 'nonsense' is not known"),
    ("register", {"promotion/metric": "ece"}, "promotion.metric: two models cannot be compared by ece"),
    ("register", {"promotion/slices/metric": "ece"}, "promotion.slices.metric: two models cannot be compared by ece"),
    ("register", {"promotion/metric_limits/nonsense": 1.0}, "promotion.metric_limits: 'nonsense' is not known"),
    ("serve", {"serving/host": "0.0.0.0"}, "other machines can reach this address"),
]


@pytest.mark.parametrize(("stage", "changes", "words"), REFUSED, ids=[f"{case[0]}: {case[2]}" for case in REFUSED])
def test_a_setting_that_a_stage_refuses_is_refused_before_the_graph_runs(
    stage: str, changes: Changes, words: str, package: Package, tmp_path: Path
) -> None:
    config = changed(changes)
    with pytest.raises(MlopsError) as refused_by_stage:
        run_stage(stage, config, root=tmp_path, package=package)
    with pytest.raises(MlopsError) as refused_by_check:
        check_settings(config, root=tmp_path)
    assert words in str(refused_by_stage.value)
    assert str(refused_by_stage.value) in str(refused_by_check.value).splitlines()


@pytest.mark.parametrize("data", sorted(path.stem for path in (CONF / "data").glob("*.yaml")))
def test_the_shipped_problems_are_accepted(data: str, tmp_path: Path) -> None:
    check_settings(changed({}, f"data={data}"), root=tmp_path)


@pytest.mark.parametrize("model", sorted(path.stem for path in (CONF / "model").glob("*.yaml")))
def test_the_shipped_models_are_accepted(model: str, tmp_path: Path) -> None:
    config = changed({}, f"model={model}")
    pytest.importorskip(config.model.estimator["_target_"].partition(".")[0])
    check_settings(config, root=tmp_path)


def test_every_refusal_has_its_line(tmp_path: Path) -> None:
    config = changed({"data/split/kind": "nonsense", "promotion/metric": "nonsense", "evaluation/metrics": ["log"]})
    with pytest.raises(ConfigError) as refused:
        check_settings(config, root=tmp_path)
    assert [line.partition(":")[0] for line in str(refused.value).splitlines()] == [
        "data.split.kind",
        "evaluation.metrics",
        "promotion.metric",
    ]


def test_a_limit_of_a_metric_that_is_not_evaluated_fails_its_gate_and_is_refused(tmp_path: Path) -> None:
    config = changed({"evaluation/metrics": ["accuracy"], "promotion/metric_limits": {"mcc": 0.1}})
    with pytest.raises(ConfigError, match=r"^promotion\.metric_limits\.mcc: mcc is not evaluated; add it to eval"):
        check_settings(config, root=tmp_path)


def test_a_file_that_dvc_will_bring_is_accepted(tmp_path: Path) -> None:
    pointer = tmp_path / "data/external/rows.csv.dvc"
    pointer.parent.mkdir(parents=True)
    pointer.write_text("outs: []\n", encoding="utf-8")
    source = {"kind": "csv", "path": "data/external/rows.csv"}
    check_settings(changed({"data/source": source, "data/profile": None}), root=tmp_path)


def test_the_command_and_the_compose_stage_ask_the_same_check(run_cli: CliRunner, tmp_path: Path) -> None:
    shutil.copytree(CONF, tmp_path / "conf")
    training = tmp_path / "conf/training/default.yaml"
    text = training.read_text(encoding="utf-8")
    training.write_text(text.replace("selection_metric: log_loss", "selection_metric: los_log"), encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        write_params(tmp_path, check=check_settings)
    run = run_cli("config", "check", cwd=tmp_path)
    assert (run.exit_code, run.out, run.err) == (3, "invalid conf\n", f"mlops: {refused.value}\n")
    assert not (tmp_path / "params.yaml").exists()
