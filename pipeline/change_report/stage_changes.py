"""Say which stages ran between two sides of a change, and which `dvc repro` would run now."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.config.composition import flatten
from pipeline.errors import DependencyUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["StageChange", "stages_that_ran", "stages_to_run"]

_MISSING = object()


@dataclass(frozen=True, slots=True)
class StageChange:
    """One stage, and why it runs."""

    stage: str
    reason: str


def stages_that_ran(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[StageChange, ...]:
    """Return the stages whose entry in dvc.lock differs, with what differs."""
    found = []
    for name, entry in after.items():
        if name not in before:
            found.append(StageChange(name, "is new"))
        elif why := _entry_differences(before[name], entry):
            found.append(StageChange(name, why))
    return (*found, *(StageChange(name, "is gone") for name in before if name not in after))


def _entry_differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    then, now = (side.get("params", {}).get("params.yaml", {}) for side in (old, new))
    keys = [
        leaf
        for key in dict.fromkeys((*now, *then))
        for leaf in _changed_leaves(key, then.get(key, _MISSING), now.get(key, _MISSING))
    ]
    hashes = ({one["path"]: one.get("md5") for one in side.get("deps", ())} for side in (old, new))
    deps = _changed_keys(*hashes)
    said = [*(f"setting {key}" for key in keys), *deps]
    return ", ".join(said) if said else "" if old == new else "command or outputs"


def _changed_leaves(key: str, old: Any, new: Any) -> list[str]:
    """Return the keys below `key` whose values differ; itself where it holds no mapping."""
    if old == new:
        return []
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return [key]
    return [f"{key}.{one}" for one in _changed_keys(dict(flatten(old)), dict(flatten(new)))]


def _changed_keys(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return [key for key in dict.fromkeys((*new, *old)) if old.get(key, _MISSING) != new.get(key, _MISSING)]


def stages_to_run(
    root: Path, graph: Mapping[str, Any], lock: Mapping[str, Any], settings: Mapping[str, Any]
) -> tuple[StageChange, ...]:
    """Return what `dvc repro` would run: settings as conf/ has them now, and files as DVC sees them.

    Raises
    ------
    DependencyUnavailable
        When `dvc status` fails.
    """
    status, found = _dvc_status(root), {}
    made_by = {
        _output_path(out): name
        for name, stage in graph.items()
        for out in (*stage.get("outs", ()), *stage.get("metrics", ()))
    }
    made = {out["path"]: out.get("md5") for entry in lock.values() for out in entry.get("outs", ())}
    for name, stage in graph.items():
        locked = lock.get(name)
        deps = [str(one) for one in stage.get("deps", ())]
        if locked is None:
            found[name] = "never ran"
            continue
        kept = locked.get("params", {}).get("params.yaml", {})
        why = [
            f"setting {leaf}"
            for key in stage.get("params", ())
            for leaf in _changed_leaves(key, kept.get(key, _MISSING), _value_at(settings, key))
        ]
        # An output of another stage may be away because nobody has run `dvc checkout`; that other stage tells.
        why += [path for path in _changed_deps(status.get(name, ())) if path not in made_by]
        why += [
            one["path"] for one in locked.get("deps", ()) if made.get(one["path"], one.get("md5")) != one.get("md5")
        ]
        why += sorted({f"follows {made_by[one]}" for one in deps if made_by.get(one) in found})
        if why:
            found[name] = ", ".join(dict.fromkeys(why))
    return tuple(StageChange(name, why) for name, why in found.items())


def _output_path(out: Any) -> str:
    return str(next(iter(out))) if isinstance(out, dict) else str(out)


def _value_at(settings: Mapping[str, Any], key: str) -> Any:
    value: Any = settings
    for part in key.split("."):
        value = value.get(part, _MISSING) if isinstance(value, dict) else _MISSING
    return value


def _changed_deps(status_entries: Any) -> list[str]:
    return [path for one in status_entries if isinstance(one, dict) for path in one.get("changed deps", {})]


def _dvc_status(root: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "dvc", "status", "--json"]
    environment = {**os.environ, "DVC_NO_ANALYTICS": "1"}
    answer = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - fixed words
    try:
        found: dict[str, Any] = json.loads(answer.stdout)
    except ValueError as error:
        raise DependencyUnavailable(f"`dvc status` says: {answer.stderr.strip()[:300]}") from error
    return found
