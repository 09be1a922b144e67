"""Train a candidate from an estimator and in-memory DataFrames, package it, and evaluate it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from pipeline import files, package
from pipeline.config.groups.model_config import EstimatorInputsConfig, ModelConfig
from pipeline.errors import ConfigError, UsageError
from pipeline.evaluation import EvaluationReport, evaluate_package
from pipeline.modeling.classifier import encode_target
from pipeline.modeling.encoding import make_encoder
from pipeline.modeling.estimators import build_estimator, estimator_to_config, iter_estimators
from pipeline.modeling.mitigation_effect import train_with_mitigation
from pipeline.package.training_lineage import lineage_record
from pipeline.schema import Schema
from pipeline.schema.frame_input import as_frame, as_labels
from pipeline.schema.frame_schema import infer_feature_schema

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.config.root_config import Config
    from pipeline.gates import GateReport
    from pipeline.package import Package
    from pipeline.state import ModelVersion

__all__ = [
    "TrainTestFrames",
    "TrainedCandidate",
    "estimator_model_config",
    "to_classifier",
    "to_train_test",
    "train_candidate",
]

_SEARCH = re.compile(r"SearchCV$")
# They choose or encode columns of a DataFrame; an estimator gets the matrix of the project's encoder.
_RAW_COLUMN_STEPS = frozenset(
    {
        "ColumnTransformer",
        "CountVectorizer",
        "DictVectorizer",
        "FeatureHasher",
        "HashingVectorizer",
        "OneHotEncoder",
        "OrdinalEncoder",
        "TargetEncoder",
        "TfidfVectorizer",
    }
)
_THRESHOLD_WRAPPERS = frozenset({"FixedThresholdClassifier", "TunedThresholdClassifierCV"})
_TREE_ESTIMATORS = re.compile(r"Tree|Forest|Boost|Catboost|LGBM|XGB", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TrainTestFrames:
    """Train and test rows, both with the target, and their declared or inferred schema."""

    train: pd.DataFrame
    test: pd.DataFrame
    schema: Schema


@dataclass(frozen=True, slots=True)
class TrainedCandidate:
    """A trained and tracked model with its gates.

    Attributes
    ----------
    run_id : str
        The run in MLflow, or its name in the outbox while MLflow is unreachable.
    metrics : dict
        Metrics on the test rows; None where one is not defined.
    cross_validated : dict
        Mean metrics over the folds of the train rows.
    gates : GateReport
        Results of the gates against the Production version.
    package : Package
        The packaged model.
    version : ModelVersion or None
        The registered version; None where it was not registered.
    """

    run_id: str
    metrics: dict[str, float | None]
    cross_validated: dict[str, float | None]
    gates: GateReport
    package: Package
    version: ModelVersion | None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "run_id": self.run_id,
            "metrics": self.metrics,
            "cross_validated": self.cross_validated,
            "gates": self.gates.as_dict(),
            "package": self.package.digest,
            "version": None if self.version is None else self.version.as_dict(),
        }


def to_train_test(train: Any, test: Any, y_train: Any, y_test: Any, config: Config) -> TrainTestFrames:
    """Join features and labels of each part, with the declared schema where it fits, otherwise an inferred one.

    Raises
    ------
    UsageError
        When the parts have different columns, or labels and rows do not match.
    """
    declared = Schema.from_config(config.data)
    y_train, y_test = as_labels(y_train, name="y_train"), as_labels(y_test, name="y_test")
    label_name = y_train.name
    parts_by_name = {"X_train": train, "X_test": test}
    features = [as_frame(part, name=name, takes_positions=True) for name, part in parts_by_name.items()]
    if list(features[0].columns) != list(features[1].columns):
        raise UsageError("X_train and X_test have different columns; pass the same columns in the same order")
    is_declared = set(declared.feature_names) <= set(features[0].columns)
    target = declared.target.column if is_declared else str(label_name) if label_name is not None else "target"
    parts = [_with_target(frame, y, target) for frame, y in zip(features, (y_train, y_test), strict=True)]
    classes = {label for part in parts for label in part[target].dropna().unique()}
    if is_declared and classes <= set(declared.target.classes):
        return TrainTestFrames(_cast_dtypes(parts[0], declared), _cast_dtypes(parts[1], declared), declared)
    inferred = infer_feature_schema(parts[0], target=target, other=parts[1])
    return TrainTestFrames(_cast_dtypes(parts[0], inferred), _cast_dtypes(parts[1], inferred), inferred)


def _with_target(frame: pd.DataFrame, labels: pd.Series, target: str) -> pd.DataFrame:
    texts = labels.astype("string").to_numpy(dtype=object)
    if len(texts) != len(frame):
        raise UsageError(f"found {len(frame)} rows and {len(texts)} labels; expected one label for each row")
    return frame.reset_index(drop=True).assign(**{target: pd.array(texts, dtype="string")})


def _cast_dtypes(frame: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Return the frame with the dtypes that the graph gives to these columns."""
    columns = [column for column in schema.columns if column.name in frame]
    dtypes = {column.name: "string" if column.kind == "category" else column.dtype for column in columns}
    return frame.astype(dtypes)


def to_classifier(model: Any, rows: TrainTestFrames, config: Config) -> Any:
    """Return the unfitted classifier that is trained for `model`; a search is replaced by the best that it finds.

    A search that is not fitted yet is fitted to the encoded train rows, with the seed of the settings.

    Raises
    ------
    UsageError
        When `model` is no estimator.
    ConfigError
        When a search finds nothing, or a part of `model` does what the project does itself: encode raw columns, or
        choose a threshold.
    """
    if isinstance(model, type) or not (hasattr(model, "get_params") and hasattr(model, "fit")):
        found = f"the class {model.__name__}" if isinstance(model, type) else type(model).__name__
        raise UsageError(f"model: found {found}, expected a scikit-learn classifier, such as LogisticRegression()")
    if _is_search(model):
        _refuse_unsuitable_parts(model.estimator)
        model = _best_estimator(model if hasattr(model, "best_params_") else _fit_search(model, rows, config))
    _refuse_unsuitable_parts(model)
    return model


def _is_search(estimator: Any) -> bool:
    return _SEARCH.search(type(estimator).__name__) is not None and hasattr(estimator, "estimator")


def _refuse_unsuitable_parts(model: Any) -> None:
    for member in iter_estimators(model):
        name = type(member).__name__
        if name in _RAW_COLUMN_STEPS:
            raise ConfigError(
                f"model: contains {name}, which works on raw columns; here the project's encoder encodes categories,"
                " dates and missing values for every estimator. Pass the last step alone, such as model[-1]; the group"
                " features in conf/ chooses the encoding"
            )
        if name in _THRESHOLD_WRAPPERS:
            raise ConfigError(
                f"model: contains {name}; here training.threshold chooses the threshold. Pass its estimator alone:"
                " model.estimator"
            )
        if _is_search(member):
            raise ConfigError(
                f"model: contains {name} as a part, which a package cannot store; pass the whole model inside of the"
                " search, or put search.best_estimator_ in its place"
            )


def _fit_search(search: Any, rows: TrainTestFrames, config: Config) -> Any:
    from sklearn.base import clone
    from threadpoolctl import threadpool_limits

    model = estimator_model_config(search.estimator)
    fitted = clone(search).set_params(estimator=build_estimator(model, seed=config.seed))
    if fitted.get_params(deep=False).get("random_state", 0) is None:
        fitted.set_params(random_state=config.seed)
    matrix = make_encoder(rows.schema, config.features, model.inputs).fit_transform(rows.train)
    with threadpool_limits(limits=1):
        try:
            fitted.fit(matrix.astype("float64"), encode_target(rows.train, rows.schema.target))
        except ValueError as error:
            raise ConfigError(
                f"model: {type(search).__name__} cannot be fitted to the encoded train rows ({str(error)[:500]});"
                " fit it yourself and pass search.best_estimator_"
            ) from error
    return fitted


def _best_estimator(search: Any) -> Any:
    from sklearn.base import clone

    if not hasattr(search, "best_params_"):
        raise ConfigError(
            f"model: {type(search).__name__} with refit={search.refit!r} names no best parameters; set refit to one of"
            " its metrics"
        )
    return clone(search.estimator).set_params(**clone(search.best_params_, safe=False))


def estimator_model_config(estimator: Any) -> ModelConfig:
    """Return the settings of an unfitted estimator, with how its inputs must be encoded."""
    from sklearn.utils import get_tags

    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(estimator).__name__).lower().removesuffix("_classifier")
    takes_missing = bool(get_tags(estimator).input_tags.allow_nan)
    is_tree = _TREE_ESTIMATORS.search(type(estimator).__name__) is not None
    inputs = EstimatorInputsConfig(
        missing="native" if takes_missing else "impute",
        categories="codes" if is_tree else "one_hot",
        scale="none" if is_tree else "standard",
    )
    return ModelConfig(name=name, estimator=estimator_to_config(estimator), inputs=inputs)


def train_candidate(
    rows: TrainTestFrames, model: ModelConfig, config: Config, *, folder: Path
) -> tuple[Package, EvaluationReport]:
    """Train a model, write its package to `folder`, and return the package with its evaluation."""
    trained = train_with_mitigation(rows.train, rows.schema, config.model_copy(update={"model": model}))
    result = trained.result
    package.write_package(
        folder,
        result.classifier,
        train=rows.train,
        test=rows.test,
        scores=result.out_of_fold,
        metrics=result.mean_metrics,
        lineage=_in_memory_lineage(rows, model, config),
        training=config.training,
        model=model.name,
        mitigation=trained.effect,
    )
    candidate = package.load_package(folder)
    report = evaluate_package(
        candidate,
        rows.train,
        rows.test,
        config=config.evaluation,
        fairness=config.fairness,
        selection_metric=config.training.selection_metric,
        seed=config.seed,
    )
    return candidate, report


def _in_memory_lineage(rows: TrainTestFrames, model: ModelConfig, config: Config) -> dict[str, Any]:
    settings = {
        "features": config.features.model_dump(mode="json"),
        "model": model.model_dump(mode="json"),
        "training": config.training.model_dump(mode="json", exclude={"n_jobs"}),
        "seed": config.seed,
    }
    data = {"train": _frame_sha256(rows.train), "test": _frame_sha256(rows.test)}
    return lineage_record(rows.schema.name, data, settings, seed=config.seed, source={"kind": "in memory"})


def _frame_sha256(frame: pd.DataFrame) -> str:
    hashed = pd.util.hash_pandas_object(frame, index=False).to_numpy()
    return files.sha256("\n".join(frame.columns).encode() + hashed.tobytes())
