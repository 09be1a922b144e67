"""A package judged as a whole: figures, baselines, importance, proof, and what is written."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.metrics import confusion_matrix, log_loss, precision_score
from threadpoolctl import threadpool_limits

from pipeline.errors import DataError, IntegrityError, UnknownOption
from pipeline.evaluation import model_card
from pipeline.evaluation.importance import permutation_importance
from pipeline.evaluation.plots import PLOT_FUNCTIONS, draw_plot
from pipeline.files import canonical_json
from pipeline.metrics import METRICS
from pipeline.modeling.classifier import encode_target
from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pipeline.evaluation.conftest import PackagedProblem


def test_figures_are_those_of_the_test_rows(binary: PackagedProblem) -> None:
    codes = encode_target(binary.test, binary.package.schema.target)
    served = binary.package.predict_proba(binary.test)
    found = binary.report.metrics["log_loss"]
    assert found.value == pytest.approx(log_loss(codes, served))
    assert found.low < found.value < found.high
    assert set(binary.report.metrics) == set(METRICS)


def test_the_confusion_matrix_is_that_of_scikit_learn(three_classes: PackagedProblem) -> None:
    truth, said = three_classes.test["answer"], three_classes.package.predict(three_classes.test)
    expected = confusion_matrix(truth, said, labels=list(three_classes.package.classes))
    assert np.array_equal(three_classes.report.confusion, expected)


def test_each_class_is_judged_against_the_rest(three_classes: PackagedProblem) -> None:
    truth, said = three_classes.test["answer"], three_classes.package.predict(three_classes.test)
    expected = precision_score(truth, said, labels=["kind 2"], average=None)[0]
    assert three_classes.report.by_class["kind 2"]["precision"] == pytest.approx(expected)
    assert three_classes.report.by_class["kind 2"]["rows"] == 100


def test_baselines_learn_from_train_and_are_compared_in_pairs(binary: PackagedProblem) -> None:
    found = binary.report.baselines["majority"]
    assert found.metrics["log_loss"] == pytest.approx(np.log(2))
    assert found.difference["log_loss"].high < 0
    value = binary.report.metrics["log_loss"].value - found.metrics["log_loss"]
    assert found.difference["log_loss"].value == pytest.approx(value, abs=1e-9)


def test_the_column_that_tells_the_class_matters_most(binary: PackagedProblem) -> None:
    first, *others = binary.report.importance
    assert first.column == "size"
    assert first.low > 0
    assert first.low <= first.mean <= first.high
    assert {one.column for one in others} == {"count", "colour", "is_new", "seen_at"}
    assert max(abs(one.mean) for one in others) < first.mean


@pytest.mark.parametrize("metric", ["roc_auc", "brier"])
def test_importance_says_worse_whatever_the_direction(binary: PackagedProblem, metric: str) -> None:
    codes = encode_target(binary.test, binary.package.schema.target)
    found = permutation_importance(
        binary.package.serving_classifier, binary.test, codes, metric=metric, repeats=2, seed=0
    )
    assert found[0].column == "size"
    assert found[0].mean > 0


def test_importance_of_many_rows_is_taken_from_some(binary: PackagedProblem) -> None:
    many = pd.concat([binary.test] * 40, ignore_index=True)
    codes = encode_target(many, binary.package.schema.target)
    found = permutation_importance(binary.package.serving_classifier, many, codes, metric="log_loss", repeats=2, seed=0)
    assert found[0].mean == pytest.approx(binary.report.importance[0].mean, rel=0.2)


def test_slices_cover_every_feature_but_text(binary: PackagedProblem) -> None:
    slices = binary.report.slices
    assert {slice_.column for slice_ in (*slices.evaluated, *slices.too_small)} == {
        "size",
        "count",
        "colour",
        "is_new",
        "seen_at",
    }


def test_onnx_is_proved_once_more(binary: PackagedProblem) -> None:
    assert binary.report.parity.onnx_used
    assert binary.report.parity.rows == len(binary.test)


def test_a_served_form_that_answers_otherwise_is_refused(binary: PackagedProblem) -> None:
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


def test_what_is_written_is_plain_json(binary: PackagedProblem, three_classes: PackagedProblem) -> None:
    for problem in (binary, three_classes):
        assert json.loads(canonical_json(problem.report.as_dict()))["rows"] == {"train": 400, "test": 300}
        shown = json.loads(canonical_json(problem.report.dvc_metrics()))
        assert set(shown) == {*METRICS, "baselines"}


def test_tables_are_written_whole(binary: PackagedProblem, tmp_path: Path) -> None:
    binary.report.write_tables(tmp_path / "plots")
    found = {path.name: pd.read_csv(path) for path in sorted((tmp_path / "plots").iterdir())}
    assert list(found) == ["calibration.csv", "confusion.csv", "importance.csv", "lift.csv", "pr.csv", "roc.csv"]
    assert len(found["confusion.csv"]) == 300
    assert b"\r" not in (tmp_path / "plots/roc.csv").read_bytes()


def test_a_test_part_of_one_class_is_judged_as_far_as_it_goes(binary: PackagedProblem) -> None:
    one = replace(binary, test=binary.test[binary.test["answer"] == "yes"].reset_index(drop=True)).evaluate()
    assert one.metrics["roc_auc"].value is None
    assert one.metrics["log_loss"].value is not None
    assert one.tables["roc"].empty
    assert "not defined" in model_card(one, binary.config)


def test_rows_without_the_answer_are_refused(binary: PackagedProblem) -> None:
    with pytest.raises(DataError, match="answer: the rows have no such column"):
        replace(binary, test=binary.test.drop(columns="answer")).evaluate()


def test_an_unknown_metric_is_refused(binary: PackagedProblem) -> None:
    with pytest.raises(UnknownOption, match="did you mean 'accuracy'"):
        binary.evaluate(metrics=("acuracy",))


def test_an_unknown_metric_of_slices_names_its_key(binary: PackagedProblem) -> None:
    with pytest.raises(UnknownOption, match=r"^evaluation\.slices\.metric: 'auc'"):
        binary.evaluate(slices=binary.config.evaluation.slices.model_copy(update={"metric": "auc"}))


def test_the_summary_is_one_line_for_people(binary: PackagedProblem) -> None:
    assert "\n" not in binary.report.summary
    assert "on 300 rows (majority 0.6931" in binary.report.summary


def test_every_plot_of_the_graph_has_its_table_and_columns(binary: PackagedProblem) -> None:
    declared = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["plots"]
    drawn = set()
    for (plot,) in (one.values() for one in declared):
        ((file, y),) = plot["y"].items()
        table = binary.report.tables[file.removeprefix("plots/").removesuffix(".csv")]
        assert {plot["x"], y} <= set(table.columns)
        drawn.add(file)
    assert drawn == {f"plots/{name}.csv" for name in binary.report.tables}


def test_every_table_has_a_figure_and_every_figure_a_table(binary: PackagedProblem) -> None:
    assert set(PLOT_FUNCTIONS) == set(binary.report.tables)
    assert all(draw_plot(name, table).axes for name, table in binary.report.tables.items())
