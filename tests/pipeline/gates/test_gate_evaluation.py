"""The gates decide correctly on better, equal, worse, leaking and incompatible models."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from pipeline import package
from pipeline.data.splitters import split_train_test
from pipeline.evaluation import evaluate_package
from pipeline.gates import ComparedRows, GateInputs, GateReport, evaluate_gates
from pipeline.gates.gate_evaluation import _champion_test_gate
from pipeline.metrics import LabeledPredictions, compare_paired
from pipeline.package.train_row_filter import build_train_row_filter
from pipeline.schema import Column, Schema
from pipeline.schema.feature_hash import feature_hashes
from pipeline.validation.dataset_validation import validate_rows
from tests.fixtures.small_packages import parts, write_small_package
from tests.fixtures.toy_dataset import settings

if TYPE_CHECKING:
    from pipeline.config.groups.promotion_config import PromotionConfig
    from pipeline.package import Package

pytestmark = pytest.mark.usefixtures("heavy_computation")

N_ROWS = 3000
SOUND = {"level": "warning", "leakage": []}
MODELS = {
    "default": (),
    "linear": ("model=logistic_regression",),
    "weak": ("model=logistic_regression", "model.estimator.C=0.0001"),
    "overfitted": ("model=random_forest", "model.estimator.n_estimators=30", "model.estimator.min_samples_leaf=1"),
}


@pytest.fixture(scope="module")
def candidates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Package]:
    folder = tmp_path_factory.mktemp("packages")
    for name, overrides in MODELS.items():
        write_small_package(folder / name, "personality", *overrides, n_rows=N_ROWS)
    return {name: package.load_package(folder / name) for name in MODELS}


_REPORTS: dict[str, dict[str, Any]] = {}


def _cached_evaluation(candidate_package: Package) -> dict[str, Any]:
    if candidate_package.digest not in _REPORTS:
        _REPORTS[candidate_package.digest] = _evaluate(candidate_package)
    return _REPORTS[candidate_package.digest]


def _evaluate(candidate_package: Package) -> dict[str, Any]:
    rows, config = (
        parts("personality", N_ROWS),
        settings("evaluation.importance_repeats=1"),
    )
    return evaluate_package(
        candidate_package,
        rows.train,
        rows.test,
        config=config.evaluation,
        fairness=config.fairness,
        selection_metric="log_loss",
        seed=1,
    ).as_dict()


def evaluate_candidate(
    candidate: Package, champion: Package | None = None, *overrides: str, **validation: object
) -> GateReport:
    inputs = GateInputs(parts("personality", N_ROWS).test, _cached_evaluation(candidate), {**SOUND, **validation})
    return evaluate_gates(candidate, inputs, settings(*overrides).promotion, champion=champion)


def results(report: GateReport) -> dict[str, str]:
    return {gate.name: gate.result for gate in report.gates}


def test_the_first_candidate_needs_no_champion(candidates: dict[str, Package]) -> None:
    result_of = results(evaluate_candidate(candidates["default"]))
    assert {result_of[name] for name in ("champion", "slices", "schema", "onnx", "size", "latency", "limit ece")} == {
        "pass"
    }


def test_a_much_worse_model_is_rejected_and_the_reverse_promoted(candidates: dict[str, Package]) -> None:
    assert results(evaluate_candidate(candidates["weak"], candidates["default"]))["champion"] == "fail"
    assert evaluate_candidate(candidates["weak"], candidates["default"]).verdict == "reject"
    assert results(evaluate_candidate(candidates["default"], candidates["weak"]))["champion"] == "pass"


def test_an_overfitted_model_is_worse_than_a_tree_of_depth_2(
    candidates: dict[str, Package],
) -> None:
    report = evaluate_candidate(candidates["overfitted"], candidates["default"])
    assert results(report)["not worse than depth_2_tree"] == "fail"
    accuracy = [
        _cached_evaluation(candidates[name])["metrics"]["accuracy"]["value"] for name in ("overfitted", "default")
    ]
    assert abs(accuracy[0] - accuracy[1]) < 0.02


def test_the_champion_itself_gets_the_verdict_hold(candidates: dict[str, Package]) -> None:
    assert evaluate_candidate(candidates["default"], candidates["default"]).verdict in {"hold", "reject"}
    assert results(evaluate_candidate(candidates["default"], candidates["default"]))["champion"] == "hold"


def test_a_planted_leak_is_found_by_validation_and_stops_everything(candidates: dict[str, Package]) -> None:
    rows, config = parts("personality", N_ROWS).train, settings()
    target = config.data.target
    leak = Column("told_before", "float", "Float64", nullable=True)
    declared = Schema.from_config(config.data)
    planted = replace(declared, columns=(*declared.columns, leak))
    leaking = rows.assign(told_before=(rows[target.column] == target.positive).astype("Float64") * 3 + 1)
    validation = validate_rows(leaking, planted, config.validation).as_dict()
    report = evaluate_candidate(candidates["default"], leakage=validation["leakage"])
    assert ("leakage", "told_before reveals the label") in [(gate.name, gate.reason) for gate in report.unmet_gates]
    assert report.verdict == "reject"


def test_rows_with_errors_stop_everything(candidates: dict[str, Package]) -> None:
    assert results(evaluate_candidate(candidates["default"], level="error"))["validation"] == "fail"


@pytest.mark.parametrize(
    ("override", "gate"),
    [
        ("promotion.max_latency_ms=0.0001", "latency"),
        ("promotion.max_size_mb=0.001", "size"),
        ("+promotion.metric_limits.log_loss=0.01", "limit log_loss"),
    ],
)
def test_a_missed_limit_shows_value_and_limit(candidates: dict[str, Package], override: str, gate: str) -> None:
    report = evaluate_candidate(candidates["default"], None, override)
    (failed,) = [unmet for unmet in report.unmet_gates if unmet.name == gate]
    assert failed.value is not None
    assert failed.threshold is not None
    assert (failed.fails_when, failed.value > failed.threshold) == ("above", True)


def evaluate_on(rows: pd.DataFrame, candidate: Package, champion: Package) -> GateReport:
    inputs = GateInputs(rows, _cached_evaluation(candidate), SOUND)
    return evaluate_gates(candidate, inputs, settings().promotion, champion=champion)


def test_rows_that_the_champion_learned_from_leave_the_comparison(candidates: dict[str, Package]) -> None:
    rows = parts("personality", N_ROWS)
    grown = pd.concat([rows.test, rows.train.head(300)], ignore_index=True)
    alone, with_known = (evaluate_on(frame, candidates["default"], candidates["weak"]) for frame in (rows.test, grown))
    assert alone.compared == ComparedRows(len(rows.test), 0)
    assert with_known.compared == ComparedRows(len(rows.test), 300)
    names = ("champion", "slices")
    known_gates, gates = ({gate.name: gate for gate in report.gates} for report in (with_known, alone))
    assert [known_gates[name] for name in names] == [gates[name] for name in names]
    for text in (with_known.as_text(), with_known.as_markdown()):
        assert "300 test rows that the champion learned from left the comparison" in text


@pytest.mark.parametrize("n_new", [0, 29])
def test_too_few_new_rows_decide_nothing(candidates: dict[str, Package], n_new: int) -> None:
    rows = parts("personality", N_ROWS)
    known = pd.concat([rows.train, rows.test.head(n_new)], ignore_index=True)
    report = evaluate_on(known, candidates["default"], candidates["weak"])
    reasons = {gate.name: gate.reason for gate in report.unmet_gates}
    assert report.verdict in {"hold", "reject"}
    for name in ("champion", "slices"):
        assert f"{n_new} of {len(known):,} test rows are new to the champion" in reasons[name]
        assert "override the gate with a reason" in reasons[name]


@pytest.mark.parametrize("seed", [1, 2])
def test_a_champion_of_another_split_is_compared_on_rows_that_are_new_to_it(
    candidates: dict[str, Package], seed: int
) -> None:
    config = settings()
    rows = pd.concat([parts("personality", N_ROWS).train, parts("personality", N_ROWS).test], ignore_index=True)
    other = config.data.split.model_copy(update={"kind": "stratified", "test_share": 0.3})
    champion_parts = split_train_test(rows, Schema.from_config(config.data), other, seed=seed)
    train_rows = build_train_row_filter(champion_parts.train, candidates["weak"].schema)
    champion = replace(candidates["weak"], train_rows=train_rows)
    report = evaluate_on(parts("personality", N_ROWS).test, candidates["default"], champion)
    learned = set(feature_hashes(champion_parts.train, champion.schema).tolist())
    n_learned = sum(value in learned for value in feature_hashes(parts("personality", N_ROWS).test, champion.schema))
    assert report.compared is not None
    n_foreign = len(parts("personality", N_ROWS).test) - n_learned
    assert n_learned <= report.compared.n_learned_by_champion <= n_learned + n_foreign / 4


def test_reproducible_gates_are_equal_for_any_champion(candidates: dict[str, Package]) -> None:
    alone, against = (
        evaluate_candidate(candidates["default"]).only_reproducible(),
        evaluate_candidate(candidates["default"], candidates["weak"]).only_reproducible(),
    )
    assert alone == against
    assert {"latency", "champion", "slices", "schema"}.isdisjoint(results(alone))


def test_the_table_and_the_card_name_every_gate(candidates: dict[str, Package]) -> None:
    report = evaluate_candidate(candidates["weak"], candidates["default"])
    for gate in report.gates:
        assert gate.name in report.as_text()
        assert f"| {gate.name} | {gate.result} |" in report.as_markdown()
    assert "verdict: reject" in report.as_text()


def _promotion(**changes: object) -> PromotionConfig:
    return settings().promotion.model_copy(update=changes)


def _models_of_equal_worth(seed: int, n_rows: int = 1000) -> tuple[LabeledPredictions, LabeledPredictions]:
    """Two models whose log odds err independently by as much."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(0, 2, n_rows)
    y = (rng.random(n_rows) < 1 / (1 + np.exp(-truth))).astype(np.int64)
    scored = []
    for _ in range(2):
        p = 1 / (1 + np.exp(-(truth + rng.normal(0, 0.5, n_rows))))
        scored.append(
            LabeledPredictions(
                y=y, probabilities=np.column_stack([1 - p, p]), predicted=(p > 0.5).astype(np.int64), positive=1
            )
        )
    return scored[0], scored[1]


def test_equal_models_are_promoted_no_more_often_than_declared() -> None:
    config, n = _promotion(), 400
    promoted = 0
    for seed in range(n):
        candidate_rows, champion_rows = _models_of_equal_worth(seed)
        differences = compare_paired(
            candidate_rows,
            champion_rows,
            ["log_loss"],
            confidence_level=config.confidence_level,
        )["log_loss"]
        promoted += _champion_test_gate(differences, config).passed
    declared = (1 - config.confidence_level) / 2
    assert promoted / n <= declared + 3 * np.sqrt(declared * (1 - declared) / n)


def test_a_non_inferior_model_passes_the_non_inferiority_test() -> None:
    candidate_rows, champion_rows = _models_of_equal_worth(1, 20_000)
    differences = compare_paired(candidate_rows, champion_rows, ["log_loss"], confidence_level=0.95)["log_loss"]
    assert _champion_test_gate(differences, _promotion(test="non_inferiority", margin=0.05)).passed
    assert not _champion_test_gate(differences, _promotion(test="superiority")).passed


def test_a_metric_with_higher_is_better_exchanges_the_sides() -> None:
    candidate_rows, champion_rows = _models_of_equal_worth(1)
    worse = LabeledPredictions(
        y=champion_rows.y,
        probabilities=champion_rows.probabilities[:, ::-1].copy(),
        predicted=1 - champion_rows.predicted,
        positive=1,
    )
    differences = compare_paired(candidate_rows, worse, ["roc_auc"], confidence_level=0.95)["roc_auc"]
    gate = _champion_test_gate(differences, _promotion(metric="roc_auc"))
    assert (gate.result, gate.fails_when) == ("pass", "below")
    back = compare_paired(worse, candidate_rows, ["roc_auc"], confidence_level=0.95)["roc_auc"]
    assert _champion_test_gate(back, _promotion(metric="roc_auc")).result == "fail"
