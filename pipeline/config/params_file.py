"""Write params.yaml from conf/, and list the keys that changed."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pipeline import files
from pipeline.config.composition import Composition, Origin, compose, flatten_settings
from pipeline.config.config_loader import build_config
from pipeline.config.strict_yaml import read_yaml
from pipeline.errors import ConfigError
from pipeline.project import paths

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["changed_value_lines", "check_params_fresh", "write_params"]


def write_params(root: Path) -> list[str]:
    """Write params.yaml and the origin of every value below `root`; return one line for each changed key.

    `dvc exp run` has already composed conf/ with its overrides. In that case params.yaml is only
    validated, and each difference from conf/ is attributed to an override.

    Raises
    ------
    ConfigError
        Naming file, key path, found value and accepted values; nothing is written.
    """
    composition = compose(conf=root / paths.CONF)
    params = root / paths.PARAMS
    if "DVC_EXP_NAME" in os.environ and params.exists():
        values = read_yaml(params)
        origin = _experiment_origins(values, composition)
        build_config(values, where=str(paths.PARAMS), origin=lambda: origin)
        printed = [f"{line} (override of this experiment)" for line in changed_value_lines(composition.values, values)]
    else:
        origin = list(composition.origin())
        build_config(composition.values, where=f"{paths.CONF}/config.yaml", origin=lambda: origin)
        current = _read_current_params(params)
        printed = (
            changed_value_lines(current, composition.values)
            if current
            else [f"{paths.PARAMS} was created from {paths.CONF}/"]
        )
        files.write_text(params, composition.text)
    files.write_json(root / paths.CONFIG_ORIGIN, [asdict(entry) for entry in origin])
    return printed


def check_params_fresh(root: Path) -> None:
    """Raise if params.yaml differs from the composed conf/.

    Raises
    ------
    ConfigError
        Naming the keys that differ.
    """
    composition = compose(conf=root / paths.CONF)
    params = root / paths.PARAMS
    if params.exists() and params.read_text(encoding="utf-8") == composition.text:
        return
    differing = changed_value_lines(_read_current_params(params), composition.values)
    listed = "; ".join(differing[:10]) or "formatting only"
    raise ConfigError(f"{params}: is stale against conf/: {listed}. Run `dvc repro compose` and commit it")


def changed_value_lines(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Return `key: old -> new` for each leaf that differs between two trees, sorted by key."""
    before, after = dict(flatten_settings(old)), dict(flatten_settings(new))
    return [
        f"{key}: {_value_text(before, key)} -> {_value_text(after, key)}"
        for key in sorted(before.keys() | after.keys())
        if _value_text(before, key) != _value_text(after, key)
    ]


def _value_text(values: dict[str, Any], key: str) -> str:
    return repr(values[key]) if key in values else "(absent)"


def _read_current_params(params: Path) -> dict[str, Any]:
    """Return the values of params.yaml; empty if it is missing or unreadable, because it is about to be replaced."""
    try:
        values = read_yaml(params)
    except ConfigError:
        return {}
    return values if isinstance(values, dict) else {}


def _experiment_origins(values: Any, composition: Composition) -> list[Origin]:
    known = {entry.key: entry for entry in composition.origin()}
    return list(_attribute_origins(values, known))


def _attribute_origins(values: Any, known: dict[str, Origin]) -> Iterator[Origin]:
    for key, value in flatten_settings(values):
        entry = known.get(key)
        if entry is not None and entry.value == value:
            yield entry
        else:
            yield Origin(key, value, None if entry is None else entry.file, f"dvc exp run -S {key}={value}")
