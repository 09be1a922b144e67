"""Which estimators are built, and that nothing else is."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pipeline.config.groups.model_config import EstimatorInputsConfig, ModelConfig
from pipeline.errors import ConfigError, DependencyUnavailable, TargetRefused
from pipeline.modeling.estimators import (
    build_estimator,
    iter_estimators,
    resolve_estimator_class,
    supports_class_weight,
)
from tests.fixtures.toy_dataset import ROOT, settings

LOGISTIC = "sklearn.linear_model.LogisticRegression"
FOREST = "sklearn.ensemble.RandomForestClassifier"
STRANGERS = (
    "pandas.read_pickle",
    "joblib.load",
    "numpy.load",
    "os.system",
    "subprocess.Popen",
    "logging.os.system",
    "builtins.eval",
    "sklearn.os.system",
    "sklearn.utils.os.system",
    "sklearn.utils.check_array",
    "sklearn.utils._testing.assert_run_python_script",
    "sklearn.datasets.fetch_openml",
    "sklearn.datasets.load_svmlight_file",
    "sklearn.externals._arff.loads",
    "sklearn.base.BaseEstimator",
    "sklearn.base.joblib.load",
    "sklearn.utils.parallel.joblib.load",
    "pipeline.package.load",
    "pipeline.files.write_json",
    "pipeline.modeling.estimators.importlib.import_module",
    "sklearn..svm",
    "__import__",
    "sklearn.__init__.os",
    "",
)


def model(estimator: object) -> ModelConfig:
    inputs = EstimatorInputsConfig(missing="impute", categories="codes", scale="none")
    return ModelConfig(name="tried", estimator=estimator, inputs=inputs)


@pytest.mark.parametrize("name", STRANGERS)
def test_a_target_that_is_no_estimator_is_refused(name: str) -> None:
    with pytest.raises(TargetRefused, match=r"expected a scikit-learn estimator|does not exist"):
        resolve_estimator_class(name)


@pytest.mark.parametrize("name", [None, 1, ["sklearn.svm.SVC"], {"_target_": "sklearn.svm.SVC"}])
def test_a_target_that_is_no_word_is_refused(name: object) -> None:
    with pytest.raises(TargetRefused, match="is not the import path of a class"):
        resolve_estimator_class(name)


@pytest.mark.parametrize(
    "place",
    [
        lambda bad: bad,
        lambda bad: {"_target_": "sklearn.calibration.CalibratedClassifierCV", "estimator": bad},
        lambda bad: {"_target_": "sklearn.ensemble.VotingClassifier", "estimators": {"one": bad}},
        lambda bad: {"_target_": "sklearn.ensemble.VotingClassifier", "estimators": [["one", bad]]},
        lambda bad: {"_target_": LOGISTIC, "C": bad},
        lambda bad: {"_target_": LOGISTIC, "C": [bad]},
        lambda bad: {"_target_": LOGISTIC, "class_weight": {"a": {"b": bad}}},
    ],
    ids=["alone", "inside", "in a mapping", "in a pair", "as a number", "in a list", "deep"],
)
def test_a_target_is_refused_at_any_depth(place: object) -> None:
    with pytest.raises(TargetRefused, match=r"_target_: os\.system is not on the allow-list"):
        build_estimator(model(place({"_target_": "os.system", "command": "touch ran"})), seed=0)


@pytest.mark.parametrize("word", ["_partial_", "_args_", "_convert_", "_recursive_", "_anything"])
def test_words_of_hydra_are_refused(word: str) -> None:
    with pytest.raises(TargetRefused, match=f"{word}: only _target_ and the arguments"):
        build_estimator(model({"_target_": LOGISTIC, word: True}), seed=0)


@pytest.mark.usefixtures("starts_processes")
def test_a_package_is_refused_before_it_is_imported() -> None:
    code = (
        "import sys\nfrom pipeline.modeling.estimators import resolve_estimator_class\n"
        "from pipeline.errors import TargetRefused\n"
        "try:\n    resolve_estimator_class('antigravity.Estimator')\nexcept TargetRefused:\n"
        "    print('antigravity' in sys.modules, 'sklearn' in sys.modules)"
    )
    completed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert completed.stdout.split() == ["False", "False"]


def test_the_error_of_an_unknown_argument_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"model\.estimator\.n_estimator: .*did you mean 'n_estimators'"):
        build_estimator(model({"_target_": FOREST, "n_estimator": 5}), seed=0)


def test_a_value_that_the_class_refuses_is_refused_before_data_is_read() -> None:
    with pytest.raises(ConfigError, match=r"model\.estimator: The 'C' parameter"):
        build_estimator(model({"_target_": LOGISTIC, "C": -1.0}), seed=0)


@pytest.mark.parametrize("name", ["memory", "callbacks"])
def test_arguments_that_reach_outside_are_refused(name: str) -> None:
    with pytest.raises(TargetRefused, match="reaches outside of the model"):
        build_estimator(model({"_target_": LOGISTIC, name: "somewhere"}), seed=0)


def test_an_estimator_without_probabilities_is_refused() -> None:
    with pytest.raises(TargetRefused, match="does not give probabilities"):
        build_estimator(model({"_target_": "sklearn.svm.LinearSVC"}), seed=0)


def test_more_threads_than_one_are_left_to_the_folds() -> None:
    with pytest.raises(ConfigError, match=r"set training\.n_jobs"):
        build_estimator(model({"_target_": FOREST, "n_jobs": -1}), seed=0)


def test_every_member_gets_the_seed_and_one_thread() -> None:
    built = build_estimator(settings("model=stacking").model, seed=7)
    forests = [member for member in iter_estimators(built) if type(member).__name__ == "RandomForestClassifier"]
    assert [(member.random_state, member.n_jobs) for member in forests] == [(7, 1)]


def test_class_weights_reach_the_members_that_know_them() -> None:
    built = build_estimator(settings("model=random_forest").model, seed=7, class_weight="balanced")
    assert built.class_weight == "balanced"
    assert supports_class_weight(built)


def test_an_estimator_without_class_weights_is_recognized() -> None:
    assert not supports_class_weight(build_estimator(settings("model=naive_bayes").model, seed=7))


def test_a_package_that_is_not_installed_is_named_with_the_extra_that_has_it() -> None:
    try:
        import catboost  # noqa: F401
    except ModuleNotFoundError:
        with pytest.raises(DependencyUnavailable, match=r"catboost is not installed.*\[boosting\]"):
            resolve_estimator_class("catboost.CatBoostClassifier")
    else:
        assert resolve_estimator_class("catboost.CatBoostClassifier").__name__ == "CatBoostClassifier"
