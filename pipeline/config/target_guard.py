"""Reject settings that would run code: `_target_` outside of estimators, and overrides of Hydra itself.

Hydra's block list is not a security boundary (`pandas.read_pickle` passes it). So this is an allow
list: a target must be below `model.estimator` and name an allowed package, or one of a declared extension.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pipeline.errors import ConfigError, TargetRefused
from pipeline.extensions import resolve_extension
from pipeline.project.root import find_code_root

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["ALLOWED_PACKAGES", "SEARCH_PATH_KEY", "check_overrides", "check_targets"]

SEARCH_PATH_KEY = "hydra.searchpath"

ALLOWED_PACKAGES = ("sklearn", "lightgbm", "xgboost", "catboost", "pipeline")

_TARGET = re.compile(r"([A-Za-z][A-Za-z0-9_]*)(\.[A-Za-z][A-Za-z0-9_]*)+")
_SPECIAL_KEY = re.compile(r"_[a-z]+_|\(\)")
_TARGET_PATH = ("model", "estimator")

# Settings of Hydra itself that overrides may set.
_HYDRA_KEYS = re.compile(
    r"hydra/(launcher|sweeper|sweeper/sampler)|hydra\.(launcher|sweeper|sweep)\.[A-Za-z0-9_.]+|hydra\.verbose"
)
# Names of secrets; keys such as `url_env` name an environment variable and are accepted.
_SECRET_KEY = re.compile(r"(^|[._])(password|passwd|secret|token|api_?key|credentials?)$", re.IGNORECASE)
# An address with a password, or with the signature of a request.
_SECRET_VALUE = re.compile(r"://[^/\s]*:[^/\s]*@|[?&](sig|signature|token|X-(Amz|Goog)-[A-Za-z-]+)=", re.IGNORECASE)


def check_targets(values: Mapping[str, Any], *, place: str) -> None:
    """Raise for every key that Hydra or logging would call, except `_target_` of allowed estimators.

    Parameters
    ----------
    values : mapping
        A composed tree.
    place : str
        File that errors name.

    Raises
    ------
    TargetRefused
        Naming the key path and the accepted values.
    """
    packages = (*ALLOWED_PACKAGES, *_extension_packages(values.get("extensions")))
    for path, key, value in _special_keys(values, ()):
        where = f"{place}: {'.'.join((*path, key))}"
        if key != "_target_" or path[:2] != _TARGET_PATH:
            raise TargetRefused(
                f"{where}: is not a setting; only model.estimator and estimators nested in it have a _target_"
            )
        target = _TARGET.fullmatch(value) if isinstance(value, str) else None
        if target is None or target[1] not in packages:
            raise TargetRefused(
                f"{where}: {value!r} is not accepted; expected the import path of an estimator of"
                f" {', '.join(packages)}, such as sklearn.linear_model.LogisticRegression"
            )


def _extension_packages(declarations: Any) -> list[str]:
    """Return the packages of declared extensions; a value of another type is refused with the other settings."""
    if not isinstance(declarations, list):
        return []
    root = find_code_root()
    texts = [text for text in declarations if isinstance(text, str)]
    return [package for text in texts for package in resolve_extension(text, root).packages]


def _special_keys(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str, Any]]:
    if isinstance(value, dict):
        for key, member in value.items():
            if _SPECIAL_KEY.fullmatch(str(key)):
                yield path, str(key), member
            yield from _special_keys(member, (*path, str(key)))
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from _special_keys(member, (*path, str(index)))


def check_overrides(overrides: Sequence[str]) -> None:
    """Raise for overrides of Hydra beyond launcher, sweeper, sweep folder and verbosity, and for secrets.

    Raises
    ------
    ConfigError
        Naming the override; for a secret, only its key.
    """
    for override in overrides:
        name, _, value = override.partition("=")
        key = name.strip().lstrip("+~").partition("@")[0]
        if _SECRET_KEY.search(key) or _SECRET_VALUE.search(value):
            raise ConfigError(
                f"{key}: looks like a secret; settings are public in params.yaml, DVC and MLflow."
                " Set an environment variable and name it in the setting, as tracking.uri_env does"
            )
        if name.strip() == SEARCH_PATH_KEY:  # `find_conf_sources` checks its folders
            continue
        if key == "hydra" or (re.match(r"hydra[./]", key) and _HYDRA_KEYS.fullmatch(key) is None):
            raise ConfigError(
                f"{override}: {key!r} is not open to overrides; accepted settings of Hydra: hydra/launcher,"
                " hydra/sweeper, hydra.launcher.*, hydra.sweeper.*, hydra.sweep.dir, hydra.verbose, hydra.searchpath"
            )
