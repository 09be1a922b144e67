"""The gates on real rows: the default passes, and each bad candidate fails the gate that is meant for it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pipeline import package
from pipeline.config.composition import compose
from pipeline.config.config_loader import build_config
from pipeline.data.splitters import hash_split, split_train_test
from pipeline.evaluation import evaluate_package
from pipeline.gates import GateInputs, GateReport, evaluate_gates
from pipeline.modeling.classifier import encode_target
from pipeline.modeling.training import train_classifier
from pipeline.schema import Column
from pipeline.validation.dataset_validation import validate_rows
from tests.end_to_end.test_real_data_thresholds import REAL, ROOT, config, real, schema

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from pipeline.schema import Schema

pytestmark = [
    pytest.mark.skipif(not REAL.is_dir(), reason=f"the real files are not at {REAL}; they may not be shipped"),
]

CASES: dict[str, tuple[str, ...]] = {
    "default": (),
    "forest": (
        "model=random_forest",
        "model.estimator.n_estimators=100",
        "model.estimator.min_samples_leaf=1",
    ),
    "linear": ("model=logistic_regression", "promotion.baselines.depth_2_tree=better"),
}


@cache
def train_and_test() -> tuple[pd.DataFrame, pd.DataFrame]:
    cut = split_train_test(real("s5e7_train.csv"), schema(), config().data.split, seed=config().seed)
    return cut.train, cut.test


def evaluate_candidate_gates(
    folder: Path, overrides: tuple[str, ...], rows: Any = None, declared: Schema | None = None
) -> GateReport:
    settings = build_config(
        compose((*overrides, "evaluation.importance_repeats=1"), conf=ROOT / "conf").values, where="conf"
    )
    declared = declared if declared is not None else schema()
    train, test = rows if rows is not None else train_and_test()
    result = train_classifier(
        train, declared, settings.features, model=settings.model, training=settings.training, seed=settings.seed
    )
    package.write_package(
        folder,
        result.classifier,
        train=train,
        test=test,
        scores=result.out_of_fold,
        metrics=result.mean_metrics,
        lineage={},
        training=settings.training,
        model=settings.model.name,
        split=hash_split(settings.data.split, seed=settings.seed),
    )
    candidate = package.load_package(folder)
    evaluation = evaluate_package(
        candidate,
        train,
        test,
        config=settings.evaluation,
        fairness=settings.fairness,
        selection_metric="log_loss",
        seed=settings.seed,
    ).as_dict()
    validation = validate_rows(train, declared, settings.validation).as_dict()
    return evaluate_gates(candidate, GateInputs(test, evaluation, validation), settings.promotion)


def failed_gates(report: GateReport) -> set[str]:
    return {gate.name for gate in report.unmet_gates}


def test_the_default_passes(tmp_path: Path) -> None:
    report = evaluate_candidate_gates(tmp_path / "made", CASES["default"])
    assert (report.verdict, failed_gates(report)) == ("promote", set()), report.as_text()


def test_a_forest_with_default_settings_fails_on_log_loss_and_calibration(tmp_path: Path) -> None:
    report = evaluate_candidate_gates(tmp_path / "made", CASES["forest"])
    assert report.verdict == "reject"
    assert {"limit ece", "not worse than depth_2_tree"} <= failed_gates(report), report.as_text()
    candidate, (_, test) = package.load_package(tmp_path / "made"), train_and_test()
    right = (candidate.predict(test) == test[schema().target.column].to_numpy(dtype=object)).mean()
    assert right > 0.955


def test_logistic_regression_is_not_better_than_one_rule(tmp_path: Path) -> None:
    report = evaluate_candidate_gates(tmp_path / "made", CASES["linear"])
    assert "better than depth_2_tree" in failed_gates(report), report.as_text()
    assert report.verdict == "reject"


def test_a_model_with_a_planted_leak_is_stopped(tmp_path: Path) -> None:
    target = schema().target
    noise = np.random.default_rng(0)

    def planted(rows: pd.DataFrame) -> pd.DataFrame:
        leak = encode_target(rows, target) + noise.normal(0, 0.05, len(rows))
        return rows.assign(leaked_label=leak).astype({"leaked_label": "Float64"})

    train, test = train_and_test()
    declared = replace(schema(), columns=(*schema().columns, Column("leaked_label", "float", "Float64", nullable=True)))
    report = evaluate_candidate_gates(tmp_path / "made", CASES["default"], (planted(train), planted(test)), declared)
    assert {"validation", "leakage"} <= failed_gates(report), report.as_text()
    assert "leaked_label reveals the label" in [gate.reason for gate in report.unmet_gates]
