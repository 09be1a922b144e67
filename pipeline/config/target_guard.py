"""Refuse settings that would run code: `_target_` outside of estimators, and Hydra's own doors.

Hydra's block-list is not a boundary (`pandas.read_pickle` passes it), so the rule here is the other
way round: a target is refused unless it stands where estimators stand and names an allowed package.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pipeline.errors import ConfigError, TargetRefused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["ALLOWED_PACKAGES", "check_hydra_node", "check_overrides", "check_targets"]

ALLOWED_PACKAGES = ("sklearn", "lightgbm", "xgboost", "catboost", "pipeline")

_TARGET = re.compile(rf"({'|'.join(ALLOWED_PACKAGES)})(\.[A-Za-z][A-Za-z0-9_]*)+")
_SPECIAL_KEY = re.compile(r"_[a-z]+_|\(\)")
_TARGET_PATH = ("model", "estimator")

_HYDRA_TARGETS = re.compile(r"(hydra\._internal\.core_plugins|hydra_plugins|optuna\.samplers|pipeline\.sweeps)(\.\w+)+")
_HYDRA_CLASSES = {"logging.StreamHandler", "logging.FileHandler", "colorlog.ColoredFormatter"}
# What a person may choose of Hydra itself, on the command line or with -S.
_HYDRA_KEYS = re.compile(
    r"hydra/(launcher|sweeper|sweeper/sampler)|hydra\.(launcher|sweeper|sweep)\.[A-Za-z0-9_.]+|hydra\.verbose"
)
# A word that is a secret's name; `url_env` and the like name an environment variable and are no secrets.
_SECRET_KEY = re.compile(r"(^|[._])(password|passwd|secret|token|api_?key|credentials?)$", re.IGNORECASE)


def check_targets(values: Mapping[str, Any], *, place: str) -> None:
    """Refuse every key that Hydra or logging would call, except `_target_` of estimators of allowed packages.

    Parameters
    ----------
    values : mapping
        A composed tree.
    place : str
        The file that an error names.

    Raises
    ------
    TargetRefused
        Naming the key path and what is accepted.
    """
    for path, key, value in _special_keys(values, ()):
        where = f"{place}: {'.'.join((*path, key))}"
        if key != "_target_" or path[:2] != _TARGET_PATH:
            raise TargetRefused(
                f"{where}: is not a setting here; only model.estimator and what is nested in it has a _target_"
            )
        if not isinstance(value, str) or _TARGET.fullmatch(value) is None:
            raise TargetRefused(
                f"{where}: {value!r} is not built; accepted: the import path of an estimator of"
                f" {', '.join(ALLOWED_PACKAGES)}, such as sklearn.linear_model.LogisticRegression"
            )


def _special_keys(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str, Any]]:
    if isinstance(value, dict):
        for key, member in value.items():
            if _SPECIAL_KEY.fullmatch(str(key)):
                yield path, str(key), member
            yield from _special_keys(member, (*path, str(key)))
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from _special_keys(member, (*path, str(index)))


def check_hydra_node(node: Mapping[str, Any]) -> None:
    """Refuse a composed `hydra` node that would build or call anything but Hydra's own parts.

    Raises
    ------
    TargetRefused
        Naming the key path.
    """
    for path, key, value in _special_keys(node, ("hydra",)):
        where = ".".join((*path, key))
        if key == "()" or (key == "_target_" and not (isinstance(value, str) and _HYDRA_TARGETS.fullmatch(value))):
            raise TargetRefused(
                f"{where}: {value!r} is not built; accepted: Hydra's own launchers, sweepers and samplers"
            )
    for name in ("job_logging", "hydra_logging"):
        for path, value in _logging_classes(node.get(name) or {}, ("hydra", name)):
            if value not in _HYDRA_CLASSES:
                raise TargetRefused(
                    f"{'.'.join(path)}: {value!r} is not built; accepted: {', '.join(sorted(_HYDRA_CLASSES))}"
                )


def _logging_classes(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict):
        for key, member in value.items():
            if key in ("class", "factory") or (isinstance(member, str) and member.startswith("ext://")):
                yield (
                    (*path, str(key)),
                    member if not str(member).startswith("ext://sys.std") else "logging.StreamHandler",
                )
            yield from _logging_classes(member, (*path, str(key)))


def check_overrides(overrides: Sequence[str]) -> None:
    """Refuse overrides of Hydra itself beyond launcher, sweeper, sweep folder and verbosity, and every secret.

    Raises
    ------
    ConfigError
        Naming the override; of a secret, the key alone.
    """
    for override in overrides:
        key = override.partition("=")[0].strip().lstrip("+~").partition("@")[0]
        if _SECRET_KEY.search(key):
            raise ConfigError(
                f"{key}: looks like a secret, and settings are written to params.yaml, DVC and MLflow for everybody to read;"
                " put it into an environment variable and name that in the setting, as tracking.uri_env does"
            )
        if key == "hydra" or (re.match(r"hydra[./]", key) and _HYDRA_KEYS.fullmatch(key) is None):
            raise ConfigError(
                f"{override}: {key!r} is not open to overrides; accepted of Hydra itself: hydra/launcher, hydra/sweeper,"
                " hydra.launcher.*, hydra.sweeper.*, hydra.sweep.dir, hydra.verbose"
            )
