"""Each model trains on extreme columns and predicts alike from its package, or refuses and names the column."""

from __future__ import annotations

import importlib.util
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipeline import files, package
from pipeline.errors import ConfigError, DataError
from pipeline.modeling.training import train_classifier
from pipeline.package.rule_baseline import fit_rule_baseline, rule_baseline_from_dict
from pipeline.schema import Column, Schema, Target
from tests.fixtures.proof import proof_rounds
from tests.fixtures.toy_dataset import ROOT, settings

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


N_ROWS = 60
CODES = np.arange(N_ROWS) % 2
FOLDS = ("training.folds=2", "training.golden_rows=8")
# LightGBM, XGBoost and CatBoost are extras.
INSTALLED = [
    path.stem
    for path in sorted((ROOT / "conf" / "model").glob("*.yaml"))
    if path.stem not in ("catboost", "lightgbm", "xgboost") or importlib.util.find_spec(path.stem)
]
QUICK_MODELS = ("hist_gradient_boosting", "logistic_regression", "naive_bayes")


def _gaps(present: float, *, by_class: bool = True) -> NDArray[np.float64]:
    return np.where(CODES == 1 if by_class else np.arange(N_ROWS) % 3 > 0, present, np.nan)


def _noise(scale: float) -> NDArray[np.float64]:
    return (np.random.default_rng(1).normal(size=N_ROWS) + CODES) * scale


COLUMNS: dict[str, NDArray[np.float64]] = {
    "the class is in the gaps": _gaps(1.0),
    "gaps and numbers": np.where(np.isnan(_gaps(1.0)), np.nan, _noise(1.0)),
    "constant": np.full(N_ROWS, 3.0),
    "constant with gaps": _gaps(0.0, by_class=False),
    "all missing": np.full(N_ROWS, np.nan),
    "missing in one fold": np.where(np.arange(N_ROWS) < 2, 1.0, np.nan),
    "huge": _noise(1e300),
    "the largest float": np.where(CODES == 1, 1.0, -1.0) * np.finfo(np.float64).max,
    "beyond float32": _noise(1e38),
    "tiny": _noise(1e-300),
    "subnormal": _noise(1.0).round() * 5e-324,
    "huge and tiny with gaps": np.where(np.arange(N_ROWS) % 5 == 0, np.nan, _noise(1.0) * 10.0 ** (300 - 590 * CODES)),
    "one outlier": np.where(np.arange(N_ROWS) == 7, 1e308, _noise(1.0)),
}


def make_schema(names: list[str]) -> Schema:
    numbers = (Column(name, "float", "Float64", nullable=True) for name in (*names, "other"))
    plan = Column("plan", "category", "category", nullable=True, categories=("a", "b"))
    return Schema("small", (*numbers, plan), Target("answer", ("no", "yes"), "yes"))


def make_frame(columns: dict[str, Any]) -> pd.DataFrame:
    """Return rows of `columns`, and an ordinary number, a category and the class beside them."""
    columns = {**columns, "other": np.random.default_rng(0).normal(size=N_ROWS)}
    frame = pd.DataFrame({name: pd.array(values, dtype="Float64") for name, values in columns.items()})
    frame["plan"] = pd.array(np.where(CODES == 1, "a", "b"), dtype="string")
    frame.loc[::7, "plan"] = None
    frame["answer"] = pd.array(np.array(["no", "yes"])[CODES], dtype="string")
    return frame


def assert_package_predicts_alike(folder: Path, columns: dict[str, Any], model: str) -> None:
    """Train on `columns`, write and load the package, and compare its predictions."""
    frame, schema = make_frame(columns), make_schema(list(columns))
    few_neighbors = ("model.estimator.n_neighbors=5",) if model == "knn" else ()
    config = settings(f"model={model}", *FOLDS, *few_neighbors)
    result = train_classifier(
        frame, schema, config.features, model=config.model, training=config.training, seed=config.seed
    )
    package.write_package(
        folder,
        result.classifier,
        train=frame,
        test=frame,
        scores=result.out_of_fold,
        metrics=result.mean_metrics,
        lineage={},
        training=config.training,
        model=model,
    )
    loaded, expected = package.load_package(folder), result.classifier.predict_proba(frame)
    assert np.isfinite(expected).all()
    assert np.abs(loaded.predict_proba(frame) - expected).max() < 1e-5
    assert np.array_equal(loaded.sklearn_classifier().predict_proba(frame), expected)


@pytest.mark.parametrize("model", QUICK_MODELS)
def test_a_package_of_extreme_numbers_predicts_like_its_classifier(tmp_path: Path, model: str) -> None:
    assert_package_predicts_alike(tmp_path / "package", COLUMNS, model)


@pytest.mark.parametrize("column", COLUMNS)
def test_each_extreme_column_alone_trains_a_package(tmp_path: Path, column: str) -> None:
    assert_package_predicts_alike(tmp_path / "package", {column: COLUMNS[column]}, "naive_bayes")


@pytest.mark.usefixtures("heavy_computation")
@pytest.mark.parametrize("model", [name for name in INSTALLED if name not in QUICK_MODELS])
def test_every_model_file_takes_extreme_numbers(tmp_path: Path, model: str) -> None:
    assert_package_predicts_alike(tmp_path / "package", COLUMNS, model)


@pytest.mark.parametrize("infinity", [np.inf, -np.inf])
def test_an_infinite_number_is_refused_with_its_column(tmp_path: Path, infinity: float) -> None:
    values = np.where(np.arange(N_ROWS) == 5, infinity, 1.0)
    with pytest.raises(DataError, match=r"odd: row \d+ is infinite"):
        assert_package_predicts_alike(tmp_path / "package", {"odd": values}, "logistic_regression")


@given(values=st.lists(st.none() | st.floats(allow_nan=False), min_size=N_ROWS, max_size=N_ROWS))
@hypothesis_settings(
    max_examples=proof_rounds(10, long=200), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_numbers_train_a_package_or_are_refused_with_their_column(tmp_path: Path, values: list[Any]) -> None:
    try:
        assert_package_predicts_alike(tmp_path / "package", {"odd": values}, "naive_bayes")
    except (ConfigError, DataError) as error:
        assert "odd" in str(error)  # noqa: PT017 - both outcomes are right


@pytest.mark.parametrize("missing_class", [0, 1])
def test_the_rule_asks_whether_a_value_is_missing(missing_class: int) -> None:
    schema = make_schema(["odd"])
    frame = make_frame({"odd": np.where(missing_class == CODES, np.nan, _noise(1.0))}).assign(plan="a")
    plain = json.loads(files.canonical_json(fit_rule_baseline(frame, schema)))
    assert plain["tree"]["threshold"][0] == "is missing"
    rule = rule_baseline_from_dict(plain, schema)
    asked = {"odd": [None, 1e30, -1e30], "plan": ["a"] * 3, "other": [0.0] * 3}
    missing, present = ("no", "yes")[missing_class], ("no", "yes")[1 - missing_class]
    assert rule.predict(asked).tolist() == [missing, present, present]  # type: ignore[arg-type]
