"""List the settings that differ, and the stages that use them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.config.composition import flatten_settings
from pipeline.config.stage_help import find_setting
from pipeline.text import shorten

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SettingChange", "changed_settings", "stages_reading"]

_MAX_TEXT = 60


@dataclass(frozen=True, slots=True)
class SettingChange:
    """One changed setting; `before` and `after` are its values as text, `none` without one."""

    key: str
    label: str
    before: str
    after: str
    stages: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.label} {self.before} -> {self.after}"


def changed_settings(
    before: Mapping[str, Any], after: Mapping[str, Any], graph: Mapping[str, Any]
) -> tuple[SettingChange, ...]:
    """Return every setting that differs between two composed trees, in the order of the later one.

    Parameters
    ----------
    before, after : mapping
    graph : mapping
        The stages of dvc.yaml.
    """
    old, new = dict(flatten_settings(before)), dict(flatten_settings(after))
    return tuple(
        SettingChange(
            key,
            _setting_label(key, after if key in new else before),
            _value_text(key, old, before),
            _value_text(key, new, after),
            stages_reading(key, graph),
        )
        for key in dict.fromkeys((*new, *old))
        if key not in old or key not in new or old[key] != new[key]
    )


def stages_reading(key: str, graph: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the stages whose `params` include a key."""
    return tuple(
        name
        for name, stage in graph.items()
        if any(
            key == param or key.startswith(f"{param}.") or param.startswith(f"{key}.")
            for param in stage.get("params", ())
        )
    )


def _setting_label(key: str, values: Mapping[str, Any]) -> str:
    """Return `drift limit of COLUMN` for an entry of a mapping, otherwise the key with its unit."""
    parts = key.split(".")
    if parts[:2] == ["data", "columns"] and len(parts) > 3:
        return f"{' '.join(parts[3:]).replace('_', ' ')} of {parts[2]}"
    described = find_setting(key, values)
    unit = "" if described is None or described.unit is None else f" ({described.unit})"
    return f"{key}{unit}"


def _value_text(key: str, values: Mapping[str, Any], tree: Mapping[str, Any]) -> str:
    if key not in values:
        return _inherited_value_text(key, tree)
    value = values[key]
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return shorten(text, _MAX_TEXT)


def _inherited_value_text(key: str, tree: Mapping[str, Any]) -> str:
    """Return the inherited value of a column without its own limit."""
    if key.startswith("data.columns.") and key.endswith(".drift_limit"):
        entry: Any = tree.get("data", {}).get("columns", {}).get(key.split(".")[2])
        drift: Any = tree.get("drift", {})
        if isinstance(entry, dict) and "numeric" in drift and "categorical" in drift:
            is_number = entry.get("dtype") in ("Int64", "Float64")
            limit = drift["numeric"]["wasserstein"] if is_number else drift["categorical"]["jensen_shannon"]
            return f"{limit} (from the group drift)"
    return "none"
