"""Cross-validation uses no row twice, and the number of threads changes nothing."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.model_selection import StratifiedKFold

from pipeline.errors import ConfigError, DataError, UnknownOption
from pipeline.metrics import METRICS
from pipeline.modeling.classifier import encode_target
from pipeline.modeling.classifier_fit import fit_classifier
from pipeline.modeling.training import TrainResult, _FoldEvaluation, train_classifier
from tests.fixtures.toy_dataset import FAST, rows, schema, settings


def trained(*overrides: str, n: int = 300, n_classes: int = 2) -> TrainResult:
    config = settings(*FAST, *overrides)
    declared = schema(n_classes)
    return train_classifier(
        rows(n, n_classes), declared, config.features, model=config.model, training=config.training, seed=config.seed
    )


def test_every_row_is_scored_by_a_classifier_that_had_not_seen_it() -> None:
    config, frame, declared = settings(*FAST), rows(), schema()
    codes = encode_target(frame, declared.target)
    expected = np.empty((len(frame), 2))
    for learn, held_out in StratifiedKFold(3, shuffle=True, random_state=config.seed).split(codes, codes):
        fitted = fit_classifier(frame.iloc[learn], declared, config.features, model=config.model, seed=config.seed)
        expected[held_out] = fitted.predict_proba(frame.iloc[held_out])
    assert np.array_equal(trained().out_of_fold, expected)


def test_the_metrics_are_means_over_folds() -> None:
    result = trained()
    assert len(result.fold_metrics) == 3
    assert result.mean_metrics["log_loss"] == pytest.approx(np.mean([fold["log_loss"] for fold in result.fold_metrics]))
    assert result.std_metrics["log_loss"] == pytest.approx(
        np.std([fold["log_loss"] for fold in result.fold_metrics], ddof=1)
    )
    assert result.selection_value == result.mean_metrics["log_loss"]
    assert set(result.mean_metrics) == set(METRICS)


@pytest.mark.usefixtures("heavy_computation")
@pytest.mark.parametrize("model", ["hist_gradient_boosting", "extra_trees", "mlp"])
def test_the_number_of_threads_changes_nothing(model: str) -> None:
    single, three = (trained(f"model={model}", f"training.n_jobs={n}", n=450) for n in (1, 3))
    assert np.array_equal(single.out_of_fold, three.out_of_fold)
    assert np.array_equal(single.classifier.predict_proba(rows()), three.classifier.predict_proba(rows()))
    assert single.as_dict() == three.as_dict()


def test_baselines_are_evaluated_on_the_same_folds() -> None:
    result = trained()
    assert result.baseline_metrics["majority"]["log_loss"] == pytest.approx(np.log(2), abs=1e-3)
    assert result.baseline_metrics["majority"]["roc_auc"] == 0.5
    assert result.baseline_metrics["majority"]["log_loss"] > result.baseline_metrics["depth_2_tree"]["log_loss"]


@pytest.mark.parametrize("kind", ["sigmoid", "isotonic"])
def test_calibration_improves_an_underconfident_model(kind: str) -> None:
    model = ("model=hist_gradient_boosting", "model.estimator.max_iter=10")
    plain, calibrated = (
        trained(*model, f"training.calibration={calibration}", n=600) for calibration in ("none", kind)
    )
    assert calibrated.classifier.calibration.kind == kind
    assert calibrated.mean_metrics["ece"] < plain.mean_metrics["ece"] / 2
    assert calibrated.mean_metrics["log_loss"] < plain.mean_metrics["log_loss"]


@pytest.mark.parametrize("rule", ["fixed", "max_f1"])
def test_a_row_does_not_influence_its_own_calibration(rule: str) -> None:
    training = settings(*FAST, "training.calibration=isotonic", f"training.threshold.rule={rule}").training
    codes, scores = encode_target(rows(), schema().target), trained().out_of_fold
    fold_of = np.arange(300) // 2 % 3
    turned = np.where(fold_of == 0, 1 - codes, codes)
    before = _FoldEvaluation(schema().target, codes, fold_of).cross_calibrate(scores, training, None).scores
    after = _FoldEvaluation(schema().target, turned, fold_of).cross_calibrate(scores, training, None).scores
    assert np.array_equal(before[fold_of == 0], after[fold_of == 0])
    assert not np.array_equal(before[fold_of == 1], after[fold_of == 1])


def test_a_threshold_is_never_itself_a_score() -> None:
    result = trained("training.threshold.rule=max_mcc")
    assert result.classifier.threshold not in set(result.out_of_fold[:, 1].tolist())
    assert 0 < result.classifier.threshold < 1


def test_a_fixed_threshold_is_taken_as_it_is() -> None:
    assert trained("training.threshold.value=0.3").classifier.threshold == 0.3


def test_class_weights_raise_the_recall_of_the_rare_class() -> None:
    config, frame = settings(*FAST), rows(600)
    frame = frame[(frame["answer"] == "no") | (frame["row"] % 8 == 1)].reset_index(drop=True)
    balanced = config.training.model_copy(update={"class_weight": "balanced"})
    plain, weighted = (
        train_classifier(frame, schema(), config.features, model=config.model, training=training, seed=1)
        for training in (config.training, balanced)
    )
    assert weighted.mean_metrics["recall"] > plain.mean_metrics["recall"]


def test_three_classes_are_learned_without_a_threshold() -> None:
    result = trained(n_classes=3)
    assert result.classifier.threshold is None
    assert result.out_of_fold.shape == (300, 3)
    assert result.mean_metrics["accuracy"] > 0.7
    assert result.as_dict()["threshold"] is None


def test_a_rule_for_two_classes_is_refused_for_three() -> None:
    with pytest.raises(ConfigError, match=r"max_f1 needs two classes and answer has 3.*fixed"):
        trained("training.threshold.rule=max_f1", n_classes=3)


def test_an_unknown_rule_names_those_that_there_are() -> None:
    with pytest.raises(
        UnknownOption, match=r"training\.threshold\.rule.*fixed, max_f1, max_balanced_accuracy, max_mcc"
    ):
        trained("training.threshold.rule=best")


def test_an_unknown_selection_metric_names_its_key_and_the_nearest() -> None:
    with pytest.raises(
        UnknownOption, match=r"^training\.selection_metric: 'logloss' is not known.*did you mean 'log_loss'"
    ):
        trained("training.selection_metric=logloss")


def test_a_class_with_fewer_rows_than_folds_is_refused() -> None:
    config = settings(*FAST)
    frame = rows().head(120).query("answer == 'no' or row < 4")
    with pytest.raises(DataError, match=r"yes has 2 rows.*training\.folds is 3"):
        train_classifier(frame, schema(), config.features, model=config.model, training=config.training, seed=0)


def test_what_dvc_compares_is_small_and_plain() -> None:
    values = trained().as_dict()
    assert set(values) == {*METRICS, "threshold", "baselines"}
    assert set(values["baselines"]["majority"]) == {"log_loss", "roc_auc", "accuracy"}


def test_the_summary_is_one_line() -> None:
    assert "over 3 folds (majority 0.69" in trained().summary


def test_an_estimator_that_cannot_predict_a_fold_is_reported_as_a_setting() -> None:
    config = settings("model=knn", "training.folds=3", "model.estimator.n_neighbors=250")
    with pytest.raises(ConfigError, match=r"fitted to 200 rows, it cannot predict the other 100 of a fold"):
        train_classifier(
            rows(300), schema(), config.features, model=config.model, training=config.training, seed=config.seed
        )
