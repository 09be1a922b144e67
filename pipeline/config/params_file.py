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
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pipeline.config.root_config import Config

__all__ = ["changed_value_lines", "check_params_fresh", "summarize_changes", "write_params"]

_MAX_LINES = 10
_MAX_LISTED_PER_SECTION = 2


def write_params(root: Path, *, check: Callable[[Config], None]) -> list[str]:
    """Write params.yaml and the origin of every value below `root`; return at most ten lines about the changes.

    `dvc exp run` has already composed conf/ with its overrides. In that case params.yaml is only
    validated, and each difference from conf/ is attributed to an override. `check` gets the typed settings before
    anything is written.

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
        check(build_config(values, where=str(paths.PARAMS), origin=lambda: origin))
        printed = summarize_changes(composition.values, values, note=" (override of this experiment)")
    else:
        origin = list(composition.origin())
        config = build_config(composition.values, where=f"{paths.CONF}/config.yaml", origin=lambda: origin)
        current = _read_current_params(params)
        if current != composition.values:  # equal settings were checked when they were written
            check(config)
        printed = (
            summarize_changes(current, composition.values)
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


def summarize_changes(old: dict[str, Any], new: dict[str, Any], *, note: str = "") -> list[str]:
    """Return at most ten lines about the leaves that differ: first the problem, then settings, then whole sections.

    A few changes are listed as `changed_value_lines` does, each with `note`. Of many, a section with more than two is
    one line with their number.
    """
    lines = changed_value_lines(old, new)
    problem = _problem_line(old, new)
    if len(lines) + len(problem) <= _MAX_LINES:
        return [*problem, *(f"{line}{note}" for line in lines)]
    sections: dict[str, list[str]] = {}
    for line in lines:
        sections.setdefault(".".join(line.partition(":")[0].split(".")[:2]), []).append(line)
    listed = [line for members in sections.values() if len(members) <= _MAX_LISTED_PER_SECTION for line in members]
    counted = [
        _section_line(section, members)
        for section, members in sections.items()
        if len(members) > _MAX_LISTED_PER_SECTION
    ]
    shown = [*problem, *counted, *(f"{line}{note}" for line in listed)]
    if len(shown) <= _MAX_LINES:
        return shown
    n_left = len(shown) - _MAX_LINES + 1
    return [*shown[: _MAX_LINES - 1], f"... and {n_left} more changes; `dvc params diff` lists every setting"]


def _problem_line(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    before, after = dict(flatten_settings(old)), dict(flatten_settings(new))
    if before.get("data.name") == after.get("data.name"):
        return []
    source = after.get("data.source.path") or after.get("data.source.name") or after.get("data.source.kind")
    return [
        (
            f"problem {after.get('data.name')!r} in place of {before.get('data.name')!r}: source {source},"
            f" target {after.get('data.target.column')}"
        )
    ]


def _section_line(section: str, lines: list[str]) -> str:
    if all(line.endswith("-> (absent)") for line in lines):
        return f"{section}: {len(lines)} settings go"
    if all(": (absent) -> " in line for line in lines):
        return f"{section}: {len(lines)} settings are new"
    return f"{section}: {len(lines)} settings differ"


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
