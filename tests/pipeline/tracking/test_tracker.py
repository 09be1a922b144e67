"""ExperimentTracker on a real SQLite store."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from pipeline.errors import UsageError
from pipeline.tracking import ExperimentTracker
from tests.pipeline.tracking.graph_outputs import logged_model_folder

if TYPE_CHECKING:
    from pathlib import Path


def rows() -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"count": rng.integers(0, 9, 80).astype(float), "size": rng.normal(size=80)})
    return frame, np.where(frame["size"] > 0, "large", "small")


def test_the_example_of_the_documentation_works(tracker: ExperimentTracker) -> None:
    frame, classes = rows()
    model = LogisticRegression()
    with tracker.start_run("model_training"):
        tracker.log_params({"learning_rate": 0.01, "batch_size": 32})
        model.fit(frame, classes)
        tracker.log_metrics({"accuracy": 0.95, "f1_score": 0.93})
        tracker.log_model(model, "model")
        tracker.log_confusion_matrix(classes, model.predict(frame))
    (run,) = tracker.search_runs()
    assert (run.name, run.status) == ("model_training", "FINISHED")
    assert run.params == {"learning_rate": "0.01", "batch_size": "32"}
    assert run.metrics == {"accuracy": 0.95, "f1_score": 0.93}
    artifacts = {entry.path for entry in tracker.store.client().list_artifacts(run.run_id)}
    assert artifacts == {"confusion_matrix.png", "confusion_matrix.csv"}


def test_logging_without_a_run_names_start_run(tracker: ExperimentTracker) -> None:
    with pytest.raises(UsageError, match=r"with tracker\.start_run"):
        tracker.log_metric("accuracy", 1.0)


def test_a_second_open_run_must_be_nested(tracker: ExperimentTracker) -> None:
    with tracker.start_run("outer"), pytest.raises(UsageError, match="'outer' is open"):
        tracker.start_run("inner")


def test_a_nested_run_is_a_child_of_the_open_one(tracker: ExperimentTracker) -> None:
    with tracker.start_run("outer") as outer, tracker.start_run("inner", nested=True):
        tracker.log_metric("accuracy", 0.5)
    inner, recorded_outer = tracker.search_runs()
    assert inner.tags["mlflow.parentRunId"] == outer.run_id == recorded_outer.run_id
    assert recorded_outer.metrics == {}


def test_a_run_that_raises_has_failed_with_the_error_as_a_tag(tracker: ExperimentTracker) -> None:
    with pytest.raises(ValueError, match="no data"), tracker.start_run("broken"):
        raise ValueError("no data")
    (run,) = tracker.search_runs()
    assert run.status == "FAILED"
    assert run.tags["mlops.error"] == "ValueError: no data"


def test_a_run_can_be_opened_and_ended_without_a_with_statement(tracker: ExperimentTracker) -> None:
    tracker.start_run("plain")
    tracker.end_run()
    tracker.end_run()
    assert [run.status for run in tracker.search_runs()] == ["FINISHED"]


def test_nested_settings_get_names_with_dots(tracker: ExperimentTracker) -> None:
    with tracker.start_run("deep"):
        tracker.log_params({"model": {"depth": 3, "name": "tree"}, "classes": ["a", "b"], "nothing": None})
    assert tracker.search_runs()[0].params == {
        "model.depth": "3",
        "model.name": "tree",
        "classes": '["a", "b"]',
        "nothing": "null",
    }


def test_a_parameter_cannot_be_logged_with_two_values(tracker: ExperimentTracker) -> None:
    with tracker.start_run("one"):
        tracker.log_param("depth", 3)
        with pytest.raises(UsageError, match="MLflow rejected the request"):
            tracker.log_param("depth", 4)


def test_a_thousand_metrics_and_many_parameters_are_logged(tracker: ExperimentTracker) -> None:
    metrics = {f"metric_{i}": float(i) for i in range(1200)}
    params = {f"param_{i}": str(i) for i in range(250)}
    with tracker.start_run("many"):
        tracker.log_batch(params=params, metrics=metrics, tags={"kind": "many"})
    (run,) = tracker.search_runs({"kind": "many"})
    assert run.metrics == metrics
    assert run.params == params


def test_steps_keep_every_value(tracker: ExperimentTracker) -> None:
    with tracker.start_run("curve") as run:
        for step, value in enumerate([0.9, 0.5, 0.4]):
            tracker.log_metric("loss", value, step)
    history = tracker.store.client().get_metric_history(run.run_id, "loss")
    assert [(point.step, point.value) for point in history] == [(0, 0.9), (1, 0.5), (2, 0.4)]


def test_runs_are_found_by_their_tags(tracker: ExperimentTracker) -> None:
    for team in ("red", "blue"):
        with tracker.start_run(team, tags={"team": team}):
            tracker.log_metric("accuracy", 0.9 if team == "red" else 0.8)
    assert [run.name for run in tracker.search_runs({"team": "blue"})] == ["blue"]
    assert [run.name for run in tracker.search_runs(text="metrics.accuracy > 0.85")] == ["red"]
    assert tracker.best_run("accuracy", higher_is_better=True).name == "red"
    assert tracker.best_run("accuracy", higher_is_better=False).name == "blue"


def test_an_invalid_filter_is_a_usage_error(tracker: ExperimentTracker) -> None:
    with pytest.raises(UsageError, match="MLflow rejected the request"):
        tracker.search_runs(text="colour = 3")


def test_a_comparison_shows_what_differs_and_every_metric(tracker: ExperimentTracker) -> None:
    for depth in (2, 3):
        with tracker.start_run(f"depth {depth}"):
            tracker.log_batch(params={"depth": depth, "seed": 1}, metrics={"accuracy": depth / 10}, tags={})
    table = tracker.compare_runs()
    assert list(table.columns) == ["run_id", "name", "status", "params.depth", "metrics.accuracy"]
    assert list(table["metrics.accuracy"]) == [0.3, 0.2]
    figure = tracker.plot_comparison(["depth 2", "depth 3"])
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert labels == ["depth", "accuracy"]


def test_a_comparison_of_equal_runs_has_no_plot(tracker: ExperimentTracker) -> None:
    for _ in range(2):
        with tracker.start_run("same"):
            tracker.log_metric("accuracy", 0.5)
    with pytest.raises(UsageError, match="do not differ"):
        tracker.plot_comparison()


def test_an_unknown_run_name_suggests_the_nearest(tracker: ExperimentTracker) -> None:
    with tracker.start_run("forest"):
        pass
    with pytest.raises(UsageError, match="did you mean 'forest'"):
        tracker.get_runs(["forrest"])


def test_a_finished_run_is_found_by_its_fingerprint_and_unchanged(tracker: ExperimentTracker) -> None:
    with tracker.start_run("first", fingerprint="abc") as first:
        tracker.log_metric("loss", 0.25)
    with tracker.start_run("again", fingerprint="abc") as again:
        tracker.log_metric("loss", 0.75)
    assert again.was_finished
    assert again.run_id == first.run_id
    assert [run.metrics for run in tracker.search_runs()] == [{"loss": 0.25}]


def test_an_unfinished_run_is_resumed(tracker: ExperimentTracker, root: Path) -> None:
    broken = tracker.start_run("stopped", fingerprint="abc")
    tracker.log_metric("loss", 0.25)
    other = ExperimentTracker("trials", root=root)
    with other.start_run("again", fingerprint="abc") as run:
        assert not run.was_finished
        assert run.run_id == broken.run_id
        other.log_metric("accuracy", 0.5)
    (recorded,) = other.search_runs()
    assert recorded.metrics == {"loss": 0.25, "accuracy": 0.5}
    assert recorded.is_finished


def test_rows_are_described_without_being_stored(tracker: ExperimentTracker) -> None:
    frame = pd.DataFrame({"count": pd.array([1, None], dtype="Int64"), "word": pd.array(["a", "b"], dtype="string")})
    with tracker.start_run("rows") as run:
        tracker.log_dataset(frame, "small", context="training")
    (dataset_input,) = tracker.store.client().get_run(run.run_id).inputs.dataset_inputs
    assert dataset_input.dataset.name == "small"
    assert '"num_rows": 2' in dataset_input.dataset.profile
    assert '"type": "long", "name": "count"' in dataset_input.dataset.schema
    assert dataset_input.tags[0].value == "training"


@pytest.mark.parametrize(
    ("model", "form"),
    [
        (LogisticRegression(), "skops"),
        (HistGradientBoostingClassifier(max_iter=3), "skops"),
        (RandomForestClassifier(3), "skops"),
        (make_pipeline(StandardScaler(), LogisticRegression()), "skops"),
        (make_pipeline(FunctionTransformer(lambda values: values * 2), LogisticRegression()), "cloudpickle"),
    ],
    ids=["linear", "boosting", "forest", "pipeline", "lambda"],
)
def test_any_estimator_is_restored_unchanged(tracker: ExperimentTracker, model: object, form: str) -> None:
    from mlflow import pyfunc

    frame, classes = rows()
    model.fit(frame, classes)  # type: ignore[attr-defined]
    with tracker.start_run("model") as run:
        tracker.log_model(model, "model", example=frame)
    recorded = tracker.store.client().get_run(run.run_id)
    loaded = pyfunc.load_model(logged_model_folder(tracker.store.client(), run.run_id))
    assert list(loaded.predict(frame)) == list(model.predict(frame))  # type: ignore[attr-defined]
    assert recorded.data.tags["mlops.model.form"] == form


def test_a_signature_accepts_missing_integers(tracker: ExperimentTracker) -> None:
    from mlflow import pyfunc

    frame, classes = rows()
    frame["count"] = frame["count"].astype("Int64")
    frame.loc[3, "count"] = pd.NA
    model = HistGradientBoostingClassifier(max_iter=3).fit(frame.astype("Float64"), classes)
    with tracker.start_run("model") as run:
        tracker.log_model(model, "model", example=frame)
    loaded = pyfunc.load_model(logged_model_folder(tracker.store.client(), run.run_id))
    as_floats = frame.astype("float64")
    assert list(loaded.predict(as_floats)) == list(model.predict(as_floats))


def test_a_logged_dictionary_is_json_whatever_its_numbers(tracker: ExperimentTracker, tmp_path: Path) -> None:
    with tracker.start_run("numbers") as run:
        tracker.log_dict({"mean": float("nan"), "bounds": [float("-inf"), float("inf"), 1.5]}, "numbers.json")
    text = tracker.store.download(run.run_id, "numbers.json", tmp_path).read_text(encoding="utf-8")
    assert json.loads(text, parse_constant=pytest.fail) == {"mean": "NaN", "bounds": ["-Infinity", "Infinity", 1.5]}
