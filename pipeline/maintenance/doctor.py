"""Diagnose problems of a project, and repair those that can be repaired without losing data."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from pipeline.errors import Conflict, DependencyUnavailable, NotAllowed
from pipeline.files import exclusive_lock
from pipeline.maintenance.diagnosis import Diagnosis
from pipeline.maintenance.dvc_locks import check_repository_lock, check_running_stages
from pipeline.maintenance.graph_checks import (
    check_cache,
    check_declared,
    check_dvc,
    check_engine_code,
    check_foreign_stages,
    check_graph,
    check_lock_file,
    check_params,
    check_sources,
)
from pipeline.maintenance.production_check import diagnose_production
from pipeline.project import paths

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.registry import ModelRegistry

__all__ = ["run_diagnostics"]

_OUTPUT_FOLDERS = ("data", "models", "metrics", "plots", "reports")


# What stops `dvc repro`, in the order in which DVC meets it.
_GRAPH_CHECKS: tuple[Callable[..., Diagnosis], ...] = (
    check_declared,
    check_foreign_stages,
    check_graph,
    check_engine_code,
    check_lock_file,
    check_params,
    check_running_stages,
    check_repository_lock,
    check_cache,
    check_sources,
)


def run_diagnostics(root: Path, *, repair: bool, only_graph: bool = False) -> tuple[Diagnosis, ...]:
    """Run all checks in a fixed order.

    Parameters
    ----------
    root : Path
        The project's folder.
    repair : bool
        Whether to repair problems; otherwise they are only reported.
    only_graph : bool
        Whether to check only what stops `dvc repro`.
    """
    graph = [check(root, repair=repair) for check in _GRAPH_CHECKS]
    if not any(diagnosis.state == "problem" for diagnosis in graph):
        graph.append(check_dvc(root, repair=repair))
    if only_graph:
        return tuple(graph)
    before, after = (_check_python, _check_git), (_check_leftovers, _check_audit_trail, _check_aliases)
    return (
        *(check(root, repair=repair) for check in before),
        *graph,
        *(check(root, repair=repair) for check in after),
        *diagnose_production(root),
    )


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


def _check_audit_trail(root: Path, *, repair: bool) -> Diagnosis:
    """Verify the hash chain, and restore deployments that do not follow from it; a broken chain restores nothing."""
    try:
        registry = _open_registry(root)
        if registry is None:
            return Diagnosis("audit trail", "unknown", "no version is registered yet")
        verification = registry.verify_history()
        if verification.is_intact:
            return Diagnosis(
                "audit trail", "ok", f"the hash chain is intact, every deployment follows from it; {verification.head}"
            )
        restored = registry.restore_deployments() if repair and not verification.breaks else []
        remaining = registry.verify_history().problems if restored else verification.problems
    except (Conflict, DependencyUnavailable) as error:
        return Diagnosis("audit trail", "problem", str(error))
    except NotAllowed as error:
        return Diagnosis("audit trail", "unknown", f"not compared, or not restored: {error}")
    if restored and not remaining:
        names = ", ".join(entry.model for entry in restored)
        return Diagnosis("audit trail", "repaired", f"restored the decided deployment of {names}")
    details = "; ".join(remaining[:3]) + (f" and {len(remaining) - 3} more" if len(remaining) > 3 else "")
    command = "restore a backup of the state database"
    if not repair and any(change.is_restorable for change in verification.undecided_changes):
        command = "`mlops doctor` restores the decided deployments; a backup restores the rest"
    return Diagnosis("audit trail", "problem", f"{details}; {command}")


def _check_aliases(root: Path, *, repair: bool) -> Diagnosis:
    """Compare the aliases in MLflow with the deployments; a changed alias affects no server."""
    try:
        registry = _open_registry(root)
        if registry is None:
            return Diagnosis("mlflow aliases", "unknown", "no version is registered yet")
        if repair:
            done = registry.mirror()
            overridden, error = done.overridden_aliases, done.error
        else:
            overridden, error = registry.overridden_aliases(), None
    except (Conflict, DependencyUnavailable, NotAllowed) as caught:
        overridden, error = (), str(caught)
    if error is not None:
        return Diagnosis("mlflow aliases", "unknown", f"not compared, which blocks nothing: {error}")
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
