"""List the stages that ran between two snapshots, and those that `dvc repro` would run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.config.composition import flatten_settings
from pipeline.errors import DependencyUnavailable
from pipeline.project.dvc_messages import explain_dvc_error

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["StageChange", "stages_that_ran", "stages_to_run"]

_MISSING = object()


@dataclass(frozen=True, slots=True)
class StageChange:
    """One stage, and the reason why it runs."""

    stage: str
    reason: str


def stages_that_ran(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[StageChange, ...]:
    """Return the stages whose entries in dvc.lock differ, with the differences."""
    changes = []
    for name, entry in after.items():
        if name not in before:
            changes.append(StageChange(name, "added"))
        elif reason := _entry_differences(before[name], entry):
            changes.append(StageChange(name, reason))
    return (*changes, *(StageChange(name, "removed") for name in before if name not in after))


def _entry_differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    before, after = (entry.get("params", {}).get("params.yaml", {}) for entry in (old, new))
    keys = [
        leaf
        for key in dict.fromkeys((*after, *before))
        for leaf in _changed_leaves(key, before.get(key, _MISSING), after.get(key, _MISSING))
    ]
    hashes = ({dep["path"]: dep.get("md5") for dep in entry.get("deps", ())} for entry in (old, new))
    deps = _changed_keys(*hashes)
    reasons = [*(f"setting {key}" for key in keys), *deps]
    return ", ".join(reasons) if reasons else "" if old == new else "command or outputs"


def _changed_leaves(key: str, old: Any, new: Any) -> list[str]:
    """Return the keys below `key` whose values differ; `key` itself if it is not a mapping."""
    if old == new:
        return []
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return [key]
    return [
        f"{key}.{changed_key}"
        for changed_key in _changed_keys(dict(flatten_settings(old)), dict(flatten_settings(new)))
    ]


def _changed_keys(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return [key for key in dict.fromkeys((*new, *old)) if old.get(key, _MISSING) != new.get(key, _MISSING)]


def stages_to_run(
    root: Path, graph: Mapping[str, Any], lock: Mapping[str, Any], settings: Mapping[str, Any]
) -> tuple[StageChange, ...]:
    """Return the stages that `dvc repro` would run with the settings of conf/ and the files of the folder.

    Raises
    ------
    DependencyUnavailable
        When `dvc status` fails.
    """
    status, reasons = _dvc_status(root), dict[str, str]()
    producers = {
        _output_path(out): name
        for name, stage in graph.items()
        for out in (*stage.get("outs", ()), *stage.get("metrics", ()))
    }
    output_md5s = {out["path"]: out.get("md5") for entry in lock.values() for out in entry.get("outs", ())}
    for name, stage in graph.items():
        locked = lock.get(name)
        deps = [str(dep) for dep in stage.get("deps", ())]
        if locked is None:
            reasons[name] = "never ran"
            continue
        locked_params = locked.get("params", {}).get("params.yaml", {})
        causes = [
            f"setting {leaf}"
            for key in stage.get("params", ())
            for leaf in _changed_leaves(key, locked_params.get(key, _MISSING), _value_at(settings, key))
        ]
        # Without `dvc checkout` an output of another stage may be missing; that stage reports it.
        causes += [path for path in _changed_deps(status.get(name, ())) if path not in producers]
        causes += [
            dep["path"]
            for dep in locked.get("deps", ())
            if output_md5s.get(dep["path"], dep.get("md5")) != dep.get("md5")
        ]
        causes += sorted({f"follows {producers[dep]}" for dep in deps if producers.get(dep) in reasons})
        if causes:
            reasons[name] = ", ".join(dict.fromkeys(causes))
    return tuple(StageChange(name, reason) for name, reason in reasons.items())


def _output_path(out: Any) -> str:
    return str(next(iter(out))) if isinstance(out, dict) else str(out)


def _value_at(settings: Mapping[str, Any], key: str) -> Any:
    value: Any = settings
    for part in key.split("."):
        value = value.get(part, _MISSING) if isinstance(value, dict) else _MISSING
    return value


def _changed_deps(status_entries: Any) -> list[str]:
    return [path for entry in status_entries if isinstance(entry, dict) for path in entry.get("changed deps", {})]


def _dvc_status(root: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "dvc", "status", "--json"]
    environment = {**os.environ, "DVC_NO_ANALYTICS": "1"}
    process = subprocess.run(  # noqa: S603 - fixed arguments
        command, cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    try:
        status: dict[str, Any] = json.loads(process.stdout)
    except ValueError as error:
        raise DependencyUnavailable(f"the stages cannot be compared: {explain_dvc_error(process.stderr)}") from error
    return status
