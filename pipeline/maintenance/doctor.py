"""Diagnose problems of a project, and repair those that can be repaired without losing data."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pipeline.errors import Conflict, DependencyUnavailable
from pipeline.files import exclusive_lock
from pipeline.project import paths

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.registry import ModelRegistry

__all__ = ["Diagnosis", "run_diagnostics"]

_RWLOCK = Path(".dvc/tmp/rwlock")
_OUTPUT_FOLDERS = ("data", "models", "metrics", "plots", "reports")


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The result of one check."""

    check: str
    state: Literal["ok", "repaired", "problem"]
    detail: str

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


def run_diagnostics(root: Path, *, repair: bool) -> tuple[Diagnosis, ...]:
    """Run all checks in a fixed order.

    Parameters
    ----------
    root : Path
        The project's folder.
    repair : bool
        Whether to repair problems; otherwise they are only reported.
    """
    checks: tuple[Callable[..., Diagnosis], ...] = (
        _check_python,
        _check_git,
        _check_dvc_lock,
        _check_leftovers,
        _check_audit_trail,
        _check_aliases,
    )
    return tuple(check(root, repair=repair) for check in checks)


def _check_python(root: Path, *, repair: bool) -> Diagnosis:  # noqa: ARG001 - all checks share one signature
    version = ".".join(map(str, sys.version_info[:3]))
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        return Diagnosis("python", "ok", version)
    return Diagnosis(
        "python", "problem", f"{version}: 3.11, 3.12 or 3.13 is required; remove .venv and run `make setup`"
    )


def _check_git(root: Path, *, repair: bool) -> Diagnosis:  # noqa: ARG001 - all checks share one signature
    git = shutil.which("git")
    if git is None:
        return Diagnosis("git", "problem", "git is not on the PATH; install it, lineage needs it")
    completed = subprocess.run(  # noqa: S603 - a fixed command
        [git, "-C", str(root), "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    if completed.returncode != 0:
        return Diagnosis(
            "git", "problem", f"no commit for lineage ({completed.stderr.strip()}); run `git init` and commit"
        )
    return Diagnosis("git", "ok", f"commit {completed.stdout.strip()}")


def _check_dvc_lock(root: Path, *, repair: bool) -> Diagnosis:
    """Check DVC's lock file, which a killed process can leave empty or stale."""
    path = root / _RWLOCK
    if not path.exists():
        return Diagnosis("dvc locks", "ok", "none held")
    try:
        noted = json.loads(path.read_text(encoding="utf-8"))
        holders = {int(entry["pid"]): str(entry["cmd"]) for entry in _rwlock_entries(noted)}
    except (ValueError, KeyError, TypeError, AttributeError):
        return _repair_lock(path, "the lock file is empty or damaged and blocks every DVC command", repair=repair)
    dead = sorted(pid for pid in holders if not _is_dvc_process(pid))
    if dead:
        return _repair_lock(path, f"held by processes that ended: {', '.join(map(str, dead))}", repair=repair)
    held = ", ".join(f"{pid} ({cmd})" for pid, cmd in sorted(holders.items()))
    return Diagnosis("dvc locks", "ok", f"held by {held}" if held else "none held")


def _rwlock_entries(noted: dict[str, Any]) -> list[dict[str, Any]]:
    readers = [entry for entries in noted.get("read", {}).values() for entry in entries]
    return readers + list(noted.get("write", {}).values())


def _is_dvc_process(pid: int) -> bool:
    """Return whether a live DVC process has this id; ids are reused after a restart."""
    import psutil

    try:
        return any("dvc" in argument for argument in psutil.Process(pid).cmdline())
    except psutil.Error:
        return False


def _repair_lock(path: Path, problem: str, *, repair: bool) -> Diagnosis:
    if not repair:
        return Diagnosis("dvc locks", "problem", f"{problem}; run `mlops doctor` without --dry-run to repair it")
    path.unlink()
    return Diagnosis("dvc locks", "repaired", f"{problem}; removed; DVC creates it again")


def _check_leftovers(root: Path, *, repair: bool) -> Diagnosis:
    """Find unfinished files that a killed stage left beside its outputs."""
    leftovers = [
        path
        for folder in _OUTPUT_FOLDERS
        for pattern in (".*.tmp", ".*.old")
        for path in sorted((root / folder).glob(pattern))
    ]
    if not leftovers:
        return Diagnosis("leftovers", "ok", "no unfinished files")
    names = ", ".join(str(path.relative_to(root)) for path in leftovers)
    if not repair:
        return Diagnosis("leftovers", "problem", f"unfinished files of a killed stage: {names}; run `mlops doctor`")
    try:
        with exclusive_lock(root / paths.PROJECT_LOCK, operation="cleaning up"):
            for path in leftovers:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    except Conflict:
        return Diagnosis("leftovers", "ok", f"a running stage writes {names}")
    return Diagnosis("leftovers", "repaired", f"removed unfinished files of a killed stage: {names}")


def _check_audit_trail(root: Path, *, repair: bool) -> Diagnosis:  # noqa: ARG001 - all checks share one signature
    registry = _open_registry(root)
    if registry is None:
        return Diagnosis("audit trail", "ok", "no version is registered yet")
    try:
        breaks = registry.verify_history()
    except (Conflict, DependencyUnavailable) as error:
        return Diagnosis("audit trail", "problem", str(error))
    if not breaks:
        return Diagnosis("audit trail", "ok", "the hash chain is intact")
    details = "; ".join(f"entry {break_.seq} {break_.reason}" for break_ in breaks[:3])
    return Diagnosis("audit trail", "problem", f"{details}; restore a backup of the state database")


def _check_aliases(root: Path, *, repair: bool) -> Diagnosis:
    """Compare the aliases in MLflow with the deployments; a changed alias affects no server."""
    registry = _open_registry(root)
    if registry is None:
        return Diagnosis("mlflow aliases", "ok", "no version is registered yet")
    try:
        if repair:
            done = registry.mirror()
            overridden, error = done.overridden_aliases, done.error
        else:
            overridden, error = registry.overridden_aliases(), None
    except (Conflict, DependencyUnavailable) as caught:
        overridden, error = (), str(caught)
    if error is not None:
        return Diagnosis("mlflow aliases", "ok", f"not compared, which blocks nothing: {error}")
    if not overridden:
        return Diagnosis("mlflow aliases", "ok", "equal to the deployments")
    detail = f"changed in MLflow, which affects no server: {', '.join(overridden)}"
    if not repair:
        return Diagnosis("mlflow aliases", "problem", f"{detail}; run `mlops doctor` to set them back")
    return Diagnosis("mlflow aliases", "repaired", f"{detail}; set back, and recorded in the audit trail")


def _open_registry(root: Path) -> ModelRegistry | None:
    """Return the registry of the project; None without one. Other checks report a wrong params.yaml."""
    from pipeline.config.config_loader import load_params
    from pipeline.errors import ConfigError, DataError
    from pipeline.registry import open_model_registry
    from pipeline.state import state_exists

    if not state_exists(root):
        return None
    try:
        return open_model_registry(load_params(root / paths.PARAMS).tracking, root)
    except (ConfigError, DataError, FileNotFoundError):
        return None
