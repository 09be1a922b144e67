"""Build the estimator of a model file, and refuse any other `_target_`."""

from __future__ import annotations

import importlib
import inspect
import itertools
import math
import re
from typing import TYPE_CHECKING, Any

from pipeline.config.target_guard import ALLOWED_PACKAGES
from pipeline.errors import ConfigError, DependencyUnavailable, TargetRefused, did_you_mean
from pipeline.extensions import estimator_packages
from pipeline.modeling.boosting_rounds import FIRST_ROUNDS, chooses_rounds, with_rounds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.config.groups.model_config import ModelConfig

__all__ = [
    "allowed_packages",
    "build_estimator",
    "estimator_to_config",
    "iter_estimators",
    "resolve_estimator_class",
    "supports_class_weight",
]

_IMPORT_PATH = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)+")
_FORBIDDEN_MODULES = frozenset({"conftest", "datasets", "externals", "testing", "tests"})
_MAX_DEPTH = 16  # a ColumnTransformer of pipelines, with its lists of columns, takes 10
_ESTIMATOR_KEY = "model.estimator"

# Arguments that reach the disk, the network or foreign code; no model needs them from YAML.
_REFUSED_ARGUMENTS = frozenset({"memory", "callbacks", "callback", "train_dir", "client"})

# These make a member reproducible and quiet. Folds are fitted in parallel, so each member uses one thread.
_FIXED_ARGUMENTS: dict[str, dict[str, Any]] = {
    "lightgbm": {"n_jobs": 1, "deterministic": True, "force_row_wise": True, "verbose": -1},
    "xgboost": {"n_jobs": 1, "verbosity": 0},
    "catboost": {"thread_count": 1, "allow_writing_files": False, "verbose": False},
}
# scikit-learn warns that the argument does nothing here.
_WITHOUT_N_JOBS = frozenset({"LogisticRegression"})
# Further settings that LightGBM takes by name without listing them.
_UNLISTED_ARGUMENTS = {
    "lightgbm": ("max_bin", "min_data_in_bin", "path_smooth", "extra_trees", "feature_fraction_bynode")
}


def allowed_packages() -> tuple[str, ...]:
    """Return the packages whose estimators a model file may name: the engine's list, and loaded extensions."""
    return (*ALLOWED_PACKAGES, *estimator_packages())


def build_estimator(config: ModelConfig, *, seed: int, class_weight: str | None = None) -> Any:
    """Return the unfitted estimator of a model file, with its nested members.

    Every member that knows `random_state` gets `seed` unless the file names one, and every member
    that knows `n_jobs` gets 1: `training.n_jobs` controls parallel work. `max_iter: auto` builds the first count of
    trees that training compares. Members are listed under
    `estimators` as pairs ``[name, {_target_: ...}]`` or as a mapping of names.

    Parameters
    ----------
    config : ModelConfig
        The group `model`.
    seed : int
        Seed of all random numbers.
    class_weight : "balanced" or None
        Passed to every member that has such an argument. Where one has none, `supports_class_weight` is false
        and rows are weighted instead.

    Raises
    ------
    TargetRefused
        When a `_target_` is not a scikit-learn estimator of an allow-listed package, or has keys such as
        `_partial_` and `_args_`. The package is checked before any import.
    ConfigError
        When an argument is unknown, or the class refuses its value.
    DependencyUnavailable
        When the package is allow-listed and not installed.
    """
    from sklearn.base import is_classifier

    declared = with_rounds(config, FIRST_ROUNDS).estimator if chooses_rounds(config) else config.estimator
    estimator = _build_nested(declared, _ESTIMATOR_KEY, seed=seed, class_weight=class_weight, depth=0)
    if chooses_rounds(config) and not hasattr(estimator, "staged_predict_proba"):
        raise ConfigError(f"{_ESTIMATOR_KEY}.max_iter: auto is for estimators with stages; write a number")
    if not is_classifier(estimator):
        raise TargetRefused(
            f"{_ESTIMATOR_KEY}._target_: {config.estimator['_target_']} is not a classifier; choose one with"
            " predict_proba, such as sklearn.linear_model.LogisticRegression"
        )
    # Stacking without a final estimator fits a logistic regression, which `hasattr` sees only after the fit.
    if getattr(estimator, "final_estimator", estimator) is not None and not hasattr(estimator, "predict_proba"):
        raise TargetRefused(
            f"{_ESTIMATOR_KEY}._target_: {config.estimator['_target_']} does not give probabilities; choose a"
            " classifier with predict_proba, or wrap it in sklearn.calibration.CalibratedClassifierCV"
        )
    return estimator


def resolve_estimator_class(name: object, *, key: str = f"{_ESTIMATOR_KEY}._target_") -> type:
    """Return the estimator class with the import path `name`.

    Raises
    ------
    TargetRefused
        When `name` is anything but a class derived from scikit-learn's BaseEstimator that an
        allow-listed package defines itself.
    DependencyUnavailable
        When the package is not installed.
    """
    packages = ", ".join(allowed_packages())
    allowed = f"expected a scikit-learn estimator of {packages}, such as sklearn.linear_model.LogisticRegression"
    if not isinstance(name, str) or not _IMPORT_PATH.fullmatch(name):
        raise TargetRefused(f"{key}: {name!r} is not the import path of a class; {allowed}")
    *path, last = name.split(".")
    if path[0] not in allowed_packages() or _FORBIDDEN_MODULES & set(path):
        raise TargetRefused(f"{key}: {name} is not on the allow-list; {allowed}")
    candidate_ = getattr(_import_module(".".join(path), key), last, None)
    if not isinstance(candidate_, type) or not _is_estimator_class(candidate_):
        hint = "" if candidate_ is not None else did_you_mean(last, dir(importlib.import_module(".".join(path))))
        raise TargetRefused(f"{key}: {name} is not an estimator class{hint}; {allowed}")
    return candidate_


def _import_module(module: str, key: str) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.split(".", maxsplit=1)[0]
        if error.name == package:
            raise DependencyUnavailable(
                f"{key}: the package {package} is not installed; run pip install 'declarative-mlops[boosting]'"
            ) from error
        raise TargetRefused(f"{key}: module {module} does not exist; check the import path of the class") from error


def _is_estimator_class(candidate: type) -> bool:
    from sklearn.base import BaseEstimator

    home = candidate.__module__.split(".")
    if home[0] not in allowed_packages() or _FORBIDDEN_MODULES & set(home) or inspect.isabstract(candidate):
        return False
    if home[0] == "catboost":  # its classes follow scikit-learn's protocol without deriving from it
        return hasattr(candidate, "fit") and hasattr(candidate, "get_params")
    return issubclass(candidate, BaseEstimator) and candidate is not BaseEstimator and hasattr(candidate, "fit")


def _build_nested(declared: Mapping[str, Any], key: str, *, seed: int, class_weight: str | None, depth: int) -> Any:
    if depth > _MAX_DEPTH:
        raise ConfigError(f"{key}: estimators are nested more than {_MAX_DEPTH} deep; flatten them")
    _refuse_hydra_keys(declared, key)
    target = resolve_estimator_class(declared.get("_target_"), key=f"{key}._target_")
    package = target.__module__.split(".")[0]
    accepted = _constructor_arguments(target)
    given: dict[str, Any] = {}
    for name, value in declared.items():
        if name == "_target_":
            continue
        _check_argument(name, value, accepted, key=f"{key}.{name}", target=target)
        given[name] = _build_argument(value, f"{key}.{name}", seed=seed, class_weight=class_weight, depth=depth + 1)
    defaults: dict[str, Any] = {"random_state": seed}
    if target.__name__ not in _WITHOUT_N_JOBS:
        defaults["n_jobs"] = 1
    if class_weight is not None:
        defaults["class_weight"] = class_weight
    listed = {name: value for name, value in defaults.items() if name in accepted}
    return _instantiate(target, {**listed, **_FIXED_ARGUMENTS.get(package, {}), **given}, key)


def _refuse_hydra_keys(declared: Mapping[str, Any], key: str) -> None:
    for name in declared:
        if not isinstance(name, str) or (name.startswith("_") and name != "_target_"):
            raise TargetRefused(f"{key}.{name}: only _target_ and the arguments of the class are allowed here")


def _check_argument(name: str, value: Any, accepted: tuple[str, ...], *, key: str, target: type) -> None:
    if name in _REFUSED_ARGUMENTS:
        raise TargetRefused(f"{key}: not allowed in a file, because it reaches outside of the model; remove it")
    if name not in accepted:
        raise ConfigError(
            f"{key}: {target.__name__} has no such argument; expected one of {', '.join(accepted)}"
            f"{did_you_mean(name, accepted)}"
        )
    if name in ("n_jobs", "thread_count") and value not in (None, 1):
        raise ConfigError(f"{key}: found {value!r}, expected 1; folds run in parallel, set training.n_jobs")


def _constructor_arguments(target: type) -> tuple[str, ...]:
    """Return the argument names of the constructors of `target` and its base classes."""
    names: dict[str, None] = {}
    for parent in target.__mro__:
        if "__init__" not in vars(parent) or parent is object:
            continue
        for name, parameter in inspect.signature(vars(parent)["__init__"]).parameters.items():
            if name != "self" and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
                names[name] = None
        if not any(p.kind is p.VAR_KEYWORD for p in inspect.signature(vars(parent)["__init__"]).parameters.values()):
            break
    return (*names, *_UNLISTED_ARGUMENTS.get(target.__module__.split(".")[0], ()))


def _build_argument(value: Any, key: str, *, seed: int, class_weight: str | None, depth: int) -> Any:
    """Return `value` with every declared estimator in it replaced by an instance."""
    if depth > _MAX_DEPTH:
        raise ConfigError(f"{key}: nested more than {_MAX_DEPTH} deep; flatten them")
    if isinstance(value, dict):
        if "_target_" in value:
            return _build_nested(value, key, seed=seed, class_weight=class_weight, depth=depth)
        _refuse_hydra_keys({name: None for name in value if isinstance(name, str)}, key)
        built = {
            name: _build_argument(nested, f"{key}.{name}", seed=seed, class_weight=class_weight, depth=depth + 1)
            for name, nested in value.items()
        }
        is_team = bool(built) and all(isinstance(nested, dict) and "_target_" in nested for nested in value.values())
        return list(built.items()) if is_team else built
    if isinstance(value, list | tuple):
        built_list = [
            _build_argument(nested, f"{key}[{at}]", seed=seed, class_weight=class_weight, depth=depth + 1)
            for at, nested in enumerate(value)
        ]
        is_pair = len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], dict)
        return tuple(built_list) if is_pair else built_list
    return value


def _instantiate(target: type, arguments: dict[str, Any], key: str) -> Any:
    from sklearn.utils._param_validation import InvalidParameterError

    try:
        estimator = target(**arguments)
        # FeatureUnion has no constraints of its own.
        if target.__module__.startswith("sklearn.") and hasattr(target, "_parameter_constraints"):
            estimator._validate_params()  # noqa: SLF001 - validates the values before any data is read
    except InvalidParameterError as error:
        raise ConfigError(f"{key}: {error}") from error
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{key}: {target.__name__} refuses these arguments ({error})") from error
    return estimator


def estimator_to_config(estimator: Any) -> dict[str, Any]:
    """Return the `_target_` and arguments with which a file of conf/model/ builds an equal unfitted estimator.

    Arguments with their default value and numbers of threads are left out.

    Raises
    ------
    TargetRefused
        When the estimator, or one inside of it, cannot be built from a file.
    ConfigError
        When an argument has no form in YAML, such as a function.
    """
    # The public import path of a class is the part before the first private module.
    kind: Any = type(estimator)
    public = itertools.takewhile(lambda part: not part.startswith("_"), kind.__module__.split("."))
    target = ".".join((*public, kind.__qualname__))
    if resolve_estimator_class(target) is not kind:
        raise TargetRefused(
            f"{_ESTIMATOR_KEY}._target_: {target} is not the class of the estimator; configure it in a file"
            " of conf/model/"
        )
    declared: dict[str, Any] = {"_target_": target}
    for name, value in estimator.get_params(deep=False).items():
        if name not in ("n_jobs", "thread_count") and not _is_default(type(estimator), name, value):
            declared[name] = _argument_to_config(value, f"{type(estimator).__name__}.{name}")
    return declared


def _is_default(target: type, name: str, value: Any) -> bool:
    listed = inspect.signature(target).parameters.get(name)
    if listed is None or listed.default is inspect.Parameter.empty:
        return value is None
    default = listed.default
    is_nan = isinstance(value, float) and math.isnan(value) and isinstance(default, float) and math.isnan(default)
    return is_nan or (type(default) is type(value) and bool(default == value))


def _argument_to_config(value: Any, key: str) -> Any:
    if hasattr(value, "get_params") and not isinstance(value, type):
        return estimator_to_config(value)
    if isinstance(value, list | tuple):
        return [_argument_to_config(nested, key) for nested in value]
    if isinstance(value, dict):
        return {name: _argument_to_config(nested, key) for name, nested in value.items()}
    plain = value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value
    if plain is None or isinstance(plain, str | int | float | bool):
        return plain
    raise ConfigError(
        f"{key}: {type(value).__name__} cannot be stored in a package; pass a plain value, or apply the step to the"
        " rows before and leave it out"
    )


def iter_estimators(estimator: Any) -> Iterator[Any]:
    """Yield an unfitted `estimator`, then all estimators inside of it."""
    yield estimator
    for value in estimator.get_params(deep=False).values():
        inside = [value] if hasattr(value, "get_params") and not isinstance(value, type) else []
        if isinstance(value, list | tuple):
            # A member is (name, estimator); a ColumnTransformer adds the columns.
            inside = [
                member[1]
                for member in value
                if isinstance(member, tuple | list) and len(member) in (2, 3) and hasattr(member[1], "fit")
            ]
        for member in inside:
            yield from iter_estimators(member)


def supports_class_weight(estimator: Any) -> bool:
    """Return whether every innermost classifier of `estimator` supports class weights."""
    from sklearn.base import is_classifier

    innermost = [
        member
        for member in iter_estimators(estimator)
        if len(list(iter_estimators(member))) == 1 and is_classifier(member)
    ]
    return bool(innermost) and all("class_weight" in member.get_params(deep=False) for member in innermost)
