"""Train a candidate from an estimator and in-memory DataFrames, package it, and evaluate it."""

from __future__ import annotations

import math
import re
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from pipeline import files, package
from pipeline.config.groups.model_config import EstimatorInputsConfig, ModelConfig
from pipeline.errors import ConfigError, DataError, UsageError
from pipeline.evaluation import EvaluationReport, evaluate_package
from pipeline.lifecycle.column_steps import COLUMN_FEATURES, COLUMN_INPUTS, encodes_columns, on_matrix
from pipeline.modeling.classifier import encode_target
from pipeline.modeling.classifier_fit import fit_classifier
from pipeline.modeling.encoding import make_encoder
from pipeline.modeling.estimators import build_estimator, estimator_to_config, iter_estimators
from pipeline.modeling.mitigation_effect import train_with_mitigation
from pipeline.package.skops_file import dump_estimator
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
    "PreparedModel",
    "TrainTestFrames",
    "TrainedCandidate",
    "estimator_model_config",
    "prepare_model",
    "to_train_test",
    "train_candidate",
]

_SEARCH = re.compile(r"SearchCV$")
# They read texts; an estimator gets the matrix of the project's encoder, which has a method for texts.
_TEXT_STEPS = frozenset(
    {"CountVectorizer", "DictVectorizer", "FeatureHasher", "HashingVectorizer", "TfidfTransformer", "TfidfVectorizer"}
)
_FEW_ROWS = 30  # of each class
_THRESHOLD_WRAPPERS = frozenset({"FixedThresholdClassifier", "TunedThresholdClassifierCV"})
_TREE_ESTIMATORS = re.compile(r"Tree|Forest|Boost|Catboost|LGBM|XGB", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TrainTestFrames:
    """Train and test rows, both with the target, and their declared or inferred schema.

    `features` are those of the train rows with the dtypes that they were brought with.
    """

    train: pd.DataFrame
    test: pd.DataFrame
    schema: Schema
    features: pd.DataFrame | None = None

    @property
    def train_features(self) -> pd.DataFrame:
        """The features of the train rows as they were brought."""
        return self.train.drop(columns=self.schema.target.column) if self.features is None else self.features


@dataclass(frozen=True, slots=True)
class PreparedModel:
    """Rows and settings that train a model that was brought, and what its search tried; None without a search."""

    rows: TrainTestFrames
    config: Config
    search: dict[str, Any] | None = None


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
        return TrainTestFrames(
            _cast_dtypes(parts[0], declared), _cast_dtypes(parts[1], declared), declared, features[0]
        )
    inferred = infer_feature_schema(parts[0], target=target, other=parts[1])
    return TrainTestFrames(_cast_dtypes(parts[0], inferred), _cast_dtypes(parts[1], inferred), inferred, features[0])


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


def prepare_model(model: Any, rows: TrainTestFrames, config: Config) -> PreparedModel:
    """Return the settings that train `model` on `rows`; a search is replaced by the best that it finds.

    A pipeline that prepares the columns itself is rewritten for a matrix of the features as they are. Any other
    estimator gets the matrix of the group `features`. A search that is not fitted yet is fitted to the train rows,
    with the seed of the settings.

    Raises
    ------
    UsageError
        When `model` is no estimator.
    ConfigError
        When a search finds nothing, or a package cannot store a part of `model`; nothing is fitted before.
    """
    if isinstance(model, type) or not (hasattr(model, "get_params") and hasattr(model, "fit")):
        found = f"the class {model.__name__}" if isinstance(model, type) else type(model).__name__
        raise UsageError(f"model: found {found}, expected a scikit-learn classifier, such as LogisticRegression()")
    is_search = _is_search(model)
    search = model if is_search and hasattr(model, "best_params_") else None
    estimator = model.estimator if is_search and search is None else model
    if search is not None:
        _refuse_unsuitable_parts(search.estimator)
        estimator = _best_estimator(search)
    _refuse_unsuitable_parts(estimator)
    is_plain = _prepares_columns(estimator, rows)
    if is_plain:
        on_columns = on_matrix(estimator, rows.train_features, rows.train, rows.schema)
        estimator, rows = on_columns.estimator, replace(rows, schema=on_columns.schema)
        config = config.model_copy(update={"features": COLUMN_FEATURES})
    settings = estimator_model_config(estimator, inputs=COLUMN_INPUTS if is_plain else None)
    _check_storable(settings, rows, config)
    if is_search and search is None:
        search = _fit_search(model, settings, rows, config)
        settings = estimator_model_config(_best_estimator(search), inputs=settings.inputs)
    config = config.model_copy(update={"model": settings})
    return PreparedModel(rows, config, None if search is None else _search_results(search))


def _prepares_columns(model: Any, rows: TrainTestFrames) -> bool:
    """Return whether a model gets the features as they are, because scikit-learn fits it to the rows itself."""
    from sklearn.utils import get_tags

    if encodes_columns(model):
        return True
    if all(type(member).__name__ != "Pipeline" for member in iter_estimators(model)):
        return False
    features = rows.train[list(rows.schema.feature_names)]
    has_words = any(not column.is_numeric and column.kind != "boolean" for column in rows.schema.columns)
    takes_missing = get_tags(model).input_tags.allow_nan
    return not has_words and (takes_missing or not features.isna().to_numpy().any())


def _is_search(estimator: Any) -> bool:
    return _SEARCH.search(type(estimator).__name__) is not None and hasattr(estimator, "estimator")


def _refuse_unsuitable_parts(model: Any) -> None:
    for member in iter_estimators(model):
        name = type(member).__name__
        if name == "TargetEncoder":
            raise ConfigError(
                "model: contains TargetEncoder, whose shuffled folds have no seed, so equal rows would not give equal"
                " packages; pass the last step alone, such as model[-1]: the encoding `words` of group features has the"
                " smoothed share of each class"
            )
        if name in _TEXT_STEPS:
            raise ConfigError(
                f"model: contains {name}, which reads texts or mappings; declare the column as text in conf/data/,"
                " whose encoder counts n-grams, and pass the last step alone, such as model[-1]"
            )
        if not isinstance(getattr(member, "categorical_features", None), str | None):
            raise ConfigError(
                f"model: {name}.categorical_features cannot be stored in a package; leave it out: categories become"
                " their positions, or put OneHotEncoder before it"
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


def _check_storable(model: ModelConfig, rows: TrainTestFrames, config: Config) -> None:
    """Refuse a model that a package cannot store, which a fit to a few rows shows before the long ones."""
    few = rows.train.groupby(rows.schema.target.column, sort=False).head(_FEW_ROWS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of few rows
        try:
            fitted = fit_classifier(few, rows.schema, config.features, model=model, seed=config.seed)
        except (ConfigError, DataError):
            return  # too few rows for it, perhaps; the training says so
    dump_estimator(fitted.estimator)


def _fit_search(search: Any, model: ModelConfig, rows: TrainTestFrames, config: Config) -> Any:
    from sklearn.base import clone
    from threadpoolctl import threadpool_limits

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


def _search_results(search: Any) -> dict[str, Any]:
    """Return what a search tried, best first, as plain values."""
    results = search.cv_results_
    metric = search.refit if isinstance(search.refit, str) and f"mean_test_{search.refit}" in results else "score"
    columns = {"mean": f"mean_test_{metric}", "deviation": f"std_test_{metric}", "rank": f"rank_test_{metric}"}
    candidates = [
        {
            "parameters": {name: _plain_parameter(value) for name, value in parameters.items()},
            **{name: _finite_or_none(results[key][at]) for name, key in columns.items() if key in results},
        }
        for at, parameters in enumerate(results["params"])
    ]
    return {
        "search": type(search).__name__,
        "metric": metric,
        "candidates": sorted(candidates, key=lambda candidate: candidate.get("rank") or len(candidates)),
    }


def _plain_parameter(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | float | bool) else repr(value)


def _finite_or_none(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None


def _best_estimator(search: Any) -> Any:
    from sklearn.base import clone

    if not hasattr(search, "best_params_"):
        raise ConfigError(
            f"model: {type(search).__name__} with refit={search.refit!r} names no best parameters; set refit to one of"
            " its metrics"
        )
    return clone(search.estimator).set_params(**clone(search.best_params_, safe=False))


def estimator_model_config(estimator: Any, *, inputs: EstimatorInputsConfig | None = None) -> ModelConfig:
    """Return the settings of an unfitted estimator, with how its inputs must be encoded; by its class when None."""
    from sklearn.utils import get_tags

    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(estimator).__name__).lower().removesuffix("_classifier")
    takes_missing = bool(get_tags(estimator).input_tags.allow_nan)
    is_tree = _TREE_ESTIMATORS.search(type(estimator).__name__) is not None
    inputs = inputs or EstimatorInputsConfig(
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
