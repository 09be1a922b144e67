"""Find the stages that `dvc repro` runs after an upgrade, with the reason of each."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import yaml

from pipeline.config.composition import flatten_settings
from pipeline.config.strict_yaml import read_yaml
from pipeline.errors import ConfigError, IntegrityError
from pipeline.files import parse_yaml
from pipeline.project import paths
from pipeline.text import shorten

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["LOCK", "StageRerun", "stage_reruns"]

LOCK = "dvc.lock"
_MAX_SETTINGS = 3
_MAX_REASON = 300
# DVC replaces it by a value, so a text with it differs from that of dvc.lock without a change.
_PLACEHOLDER = "${"


@dataclass(frozen=True, slots=True)
class StageRerun:
    """A stage that runs again, and why; `is_certain` is false where it runs only if its inputs change."""

    stage: str
    reason: str
    is_certain: bool

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


def stage_reruns(
    root: Path, graph_text: str, changed_code: set[str], values: Mapping[str, Any] | None
) -> tuple[StageRerun, ...]:
    """Return the stages that run again, in the order of the graph; none where nothing has run yet.

    Parameters
    ----------
    root : Path
        The project.
    graph_text : str
        Its dvc.yaml after the upgrade.
    changed_code : set of str
        Stages whose code differs.
    values : mapping, optional
        The composed settings on the installed engine; None where they do not compose.

    Raises
    ------
    IntegrityError
        When dvc.lock is damaged.
    """
    locked = _locked_stages(root)
    changed_settings = _changed_settings(root, values)
    reruns: list[StageRerun] = []
    changed_outputs: dict[str, str] = {}
    for stage, block in parse_yaml(graph_text)["stages"].items():
        if stage not in locked:
            continue
        certain = list(_reasons(stage, block, locked[stage], changed_code, changed_settings))
        upstream = [changed_outputs[dep] for dep in _names(block.get("deps", [])) if dep in changed_outputs]
        if certain or upstream:
            reason = "; ".join(certain) or f"if the outputs of {', '.join(dict.fromkeys(upstream))} change"
            reruns.append(StageRerun(stage, reason, is_certain=bool(certain)))
            outputs = [name for key in ("outs", "metrics", "plots") for name in _names(block.get(key, []))]
            changed_outputs |= dict.fromkeys(outputs, stage)
    return tuple(reruns)


def _locked_stages(root: Path) -> Mapping[str, Any]:
    try:
        lock = parse_yaml((root / LOCK).read_text(encoding="utf-8")) or {}
        return {name: {**stage, "deps": stage.get("deps", [])} for name, stage in lock.get("stages", {}).items()}
    except FileNotFoundError:
        return {}
    except (yaml.YAMLError, UnicodeDecodeError, TypeError, AttributeError) as error:
        reason = shorten(" ".join(str(error).split()), _MAX_REASON)
        raise IntegrityError(
            f"{LOCK}: cannot be read ({reason}); restore it with `git checkout HEAD -- {LOCK}`"
        ) from error


def _reasons(
    stage: str, block: Mapping[str, Any], locked: Mapping[str, Any], changed_code: set[str], changed_settings: list[str]
) -> Iterator[str]:
    if stage in changed_code:
        yield "its code changed"
    if _PLACEHOLDER not in str(block["cmd"]) and block["cmd"] != locked.get("cmd"):
        yield "its command changed"
    dependencies = set(_names(block.get("deps", [])))
    if _PLACEHOLDER not in str(dependencies) and dependencies != {entry["path"] for entry in locked["deps"]}:
        yield "its dependencies changed"
    prefixes = _names(block.get("params", []))
    settings = [
        key for key in changed_settings if any(key == prefix or key.startswith(f"{prefix}.") for prefix in prefixes)
    ]
    if settings:
        more = f" and {len(settings) - _MAX_SETTINGS} more" if len(settings) > _MAX_SETTINGS else ""
        yield f"settings changed: {', '.join(settings[:_MAX_SETTINGS])}{more}"


def _names(items: list[Any]) -> list[str]:
    """Return the names of outputs, dependencies or parameters; an item with options is a mapping with one key."""
    return [next(iter(item)) if isinstance(item, dict) else str(item) for item in items]


def _changed_settings(root: Path, values: Mapping[str, Any] | None) -> list[str]:
    """Return the settings that differ between params.yaml and what the installed engine composes."""
    try:
        current = read_yaml(root / paths.PARAMS)
    except ConfigError:
        return []
    if values is None or not isinstance(current, dict):
        return []
    before, after = dict(flatten_settings(current)), dict(flatten_settings(values))
    missing = object()
    return sorted(key for key in before.keys() | after.keys() if before.get(key, missing) != after.get(key, missing))
