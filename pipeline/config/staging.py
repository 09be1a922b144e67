"""Keep params.yaml in step with conf/, and say which keys changed."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pipeline import files, paths
from pipeline.config.compose import Composition, Origin, compose, leaves
from pipeline.config.load import build
from pipeline.config.reader import read_yaml
from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["changes", "check_fresh", "stage_params"]


def stage_params(root: Path) -> list[str]:
    """Write params.yaml and the origin of every value below `root`; return one line for each changed key.

    Under `dvc exp run` DVC has composed conf/ with the person's overrides already; then params.yaml is
    checked and left alone, and what differs from conf/ is put down to the override.

    Raises
    ------
    ConfigError
        Naming file, key path, what was found and what is accepted; nothing is written then.
    """
    composition = compose(conf=root / paths.CONF)
    params = root / paths.PARAMS
    if "DVC_EXP_NAME" in os.environ and params.exists():
        values = read_yaml(params)
        origin = _overridden(values, composition)
        build(values, where=str(paths.PARAMS), origin=lambda: origin)
        printed = [f"{line} (override of this experiment)" for line in changes(composition.values, values)]
    else:
        origin = list(composition.origin())
        build(composition.values, where=f"{paths.CONF}/config.yaml", origin=lambda: origin)
        standing = _standing(params)
        printed = changes(standing, composition.values) if standing else [f"{paths.PARAMS} is made from {paths.CONF}/"]
        files.write_text(params, composition.text)
    files.write_json(root / paths.ORIGIN, [asdict(entry) for entry in origin])
    return printed


def check_fresh(root: Path) -> None:
    """Refuse a params.yaml that is not what conf/ composes to.

    Raises
    ------
    ConfigError
        Naming the keys that differ.
    """
    composition = compose(conf=root / paths.CONF)
    params = root / paths.PARAMS
    if params.exists() and params.read_text(encoding="utf-8") == composition.text:
        return
    differing = changes(_standing(params), composition.values)
    listed = "; ".join(differing[:10]) or "only its form"
    raise ConfigError(f"{params}: is stale against conf/: {listed}. Run `dvc repro compose` and commit it")


def changes(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Return `key: old -> new` for each leaf that differs between two trees, sorted by key."""
    before, after = dict(leaves(old)), dict(leaves(new))
    return [
        f"{key}: {_word(before, key)} -> {_word(after, key)}"
        for key in sorted(before.keys() | after.keys())
        if _word(before, key) != _word(after, key)
    ]


def _word(values: dict[str, Any], key: str) -> str:
    return repr(values[key]) if key in values else "(absent)"


def _standing(params: Path) -> dict[str, Any]:
    """Return what params.yaml holds; nothing when it is missing or unreadable, since it is about to be replaced."""
    try:
        values = read_yaml(params)
    except ConfigError:
        return {}
    return values if isinstance(values, dict) else {}


def _overridden(values: Any, composition: Composition) -> list[Origin]:
    known = {entry.key: entry for entry in composition.origin()}
    return list(_attributed(values, known))


def _attributed(values: Any, known: dict[str, Origin]) -> Iterator[Origin]:
    for key, value in leaves(values):
        entry = known.get(key)
        if entry is not None and entry.value == value:
            yield entry
        else:
            yield Origin(key, value, None if entry is None else entry.file, f"dvc exp run -S {key}={value}")
