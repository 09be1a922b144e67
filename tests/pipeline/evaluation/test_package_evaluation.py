"""An evaluation agrees with scikit-learn, and is independent of threads and column order."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml
from sklearn.metrics import confusion_matrix, log_loss, precision_score
from threadpoolctl import threadpool_limits

from pipeline.errors import DataError, IntegrityError, UnknownOption
from pipeline.evaluation import model_card
from pipeline.evaluation.plots import PLOT_FUNCTIONS, draw_plot
from pipeline.files import canonical_json
from pipeline.metrics import METRICS
from pipeline.modeling.classifier import encode_target
from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from tests.pipeline.evaluation.conftest import PackagedProblem


def test_metrics_are_those_of_the_test_rows(binary: PackagedProblem) -> None:
    codes = encode_target(binary.test, binary.package.schema.target)
    served = binary.package.predict_proba(binary.test)
    estimate = binary.report.metrics["log_loss"]
    assert estimate.value == pytest.approx(log_loss(codes, served))
    assert estimate.low < estimate.value < estimate.high
    assert set(binary.report.metrics) == set(METRICS)


def test_the_confusion_matrix_is_that_of_scikit_learn(three_classes: PackagedProblem) -> None:
    truth, predicted = three_classes.test["answer"], three_classes.package.predict(three_classes.test)
    expected = confusion_matrix(truth, predicted, labels=list(three_classes.package.classes))
    assert np.array_equal(three_classes.report.confusion, expected)


def test_each_class_is_evaluated_against_the_rest(three_classes: PackagedProblem) -> None:
    truth, predicted = three_classes.test["answer"], three_classes.package.predict(three_classes.test)
    expected = precision_score(truth, predicted, labels=["kind 2"], average=None)[0]
    assert three_classes.report.by_class["kind 2"]["precision"] == pytest.approx(expected)
    assert three_classes.report.by_class["kind 2"]["rows"] == 100


def test_baselines_are_fitted_to_train_rows_and_compared_in_pairs(binary: PackagedProblem) -> None:
    baseline = binary.report.baselines["majority"]
    assert baseline.metrics["log_loss"] == pytest.approx(np.log(2))
    assert baseline.difference["log_loss"].high < 0
    value = binary.report.metrics["log_loss"].value - baseline.metrics["log_loss"]
    assert baseline.difference["log_loss"].value == pytest.approx(value, abs=1e-9)


def test_slices_cover_every_feature(binary: PackagedProblem) -> None:
    slices = binary.report.slices
    assert {slice_.column for slice_ in (*slices.evaluated, *slices.too_small)} == {
        "size",
        "count",
        "colour",
        "is_new",
        "seen_at",
        "note",
    }


def test_onnx_parity_is_checked_on_the_test_rows(binary: PackagedProblem) -> None:
    assert binary.report.parity.onnx_used
    assert binary.report.parity.rows == len(binary.test)


def test_a_serving_form_with_other_predictions_is_refused(binary: PackagedProblem) -> None:
    served = binary.package.serving_classifier
    other = replace(binary.package, serving_classifier=replace(served, estimator=_ReversedEstimator(served.estimator)))
    with pytest.raises(IntegrityError, match=r"differ from scikit-learn's on 300 test rows"):
        replace(binary, package=other).evaluate()


class _ReversedEstimator:
    """An estimator whose ONNX form takes each class for the other, as another runtime might."""

    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator
        self.classes_ = estimator.classes_

    def predict_proba(self, matrix: np.ndarray) -> np.ndarray:
        return self._estimator.predict_proba(matrix)[:, ::-1]


def test_the_number_of_threads_changes_nothing(binary: PackagedProblem) -> None:
    with threadpool_limits(limits=2):
        again = binary.evaluate()
    assert canonical_json(again.as_dict()) == canonical_json(binary.report.as_dict())


def test_the_order_of_columns_changes_nothing(binary: PackagedProblem) -> None:
    turned = replace(binary, test=binary.test[binary.test.columns[::-1]])
    assert turned.evaluate().as_dict() == binary.report.as_dict()


def test_undefined_metrics_of_one_class_are_none(binary: PackagedProblem) -> None:
    one_class = replace(binary, test=binary.test[binary.test["answer"] == "yes"].reset_index(drop=True)).evaluate()
    assert one_class.metrics["roc_auc"].value is None
    assert one_class.metrics["log_loss"].value is not None
    assert one_class.tables["roc"].empty
    assert "not defined" in model_card(one_class, binary.config)


def test_rows_without_the_target_are_refused(binary: PackagedProblem) -> None:
    with pytest.raises(DataError, match="answer: the rows have no target column"):
        replace(binary, test=binary.test.drop(columns="answer")).evaluate()


def test_an_unknown_metric_is_refused(binary: PackagedProblem) -> None:
    with pytest.raises(UnknownOption, match="did you mean 'accuracy'"):
        binary.evaluate(metrics=("acuracy",))


def test_an_unknown_metric_of_slices_names_its_key(binary: PackagedProblem) -> None:
    with pytest.raises(UnknownOption, match=r"^evaluation\.slices\.metric: 'auc'"):
        binary.evaluate(slices=binary.config.evaluation.slices.model_copy(update={"metric": "auc"}))


def test_every_plot_of_the_graph_has_its_table_and_columns(binary: PackagedProblem) -> None:
    declared = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["plots"]
    drawn = set()
    for (plot,) in (entry.values() for entry in declared):
        ((file, y),) = plot["y"].items()
        table = binary.report.tables[file.removeprefix("plots/").removesuffix(".csv")]
        assert {plot["x"], y} <= set(table.columns)
        drawn.add(file)
    assert drawn == {f"plots/{name}.csv" for name in binary.report.tables}


def test_every_table_has_a_plot_and_every_plot_a_table(binary: PackagedProblem) -> None:
    assert set(PLOT_FUNCTIONS) == set(binary.report.tables)
    assert all(draw_plot(name, table).axes for name, table in binary.report.tables.items())
