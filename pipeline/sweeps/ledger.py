"""Keep what the members of a sweep found in its folder, where every launcher's processes can read and write."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipeline import files
from pipeline.config.job import FAILURE, Plan

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Trial", "failures", "keep_parent", "keep_plan", "keep_trial", "read_parent", "read_plan", "trials"]

_PLAN = "plan.json"
_PARENT = "parent.json"
_TRIAL = "trial.json"


@dataclass(frozen=True, slots=True)
class Trial:
    """What one member of a sweep found.

    `run` is the id of its run in MLflow (or the key of its folder in the outbox); `was_known` says that
    an earlier run with the same fingerprint had the answer already.
    """

    number: int | None
    what: str
    metric: str
    value: float
    spread: float | None
    higher_is_better: bool
    run: str
    was_known: bool
    seconds: float
    overrides: tuple[str, ...]


def keep_plan(plan: Plan) -> None:
    """Write down what the sweep is going to do."""
    files.write_json(plan.folder / _PLAN, {**asdict(plan), "folder": plan.folder.name})


def read_plan(folder: Path) -> Plan | None:
    """Return what the sweep is going to do; None when nobody wrote it down."""
    path = folder / _PLAN
    if not path.exists():
        return None
    values: dict[str, Any] = files.read_json(path)
    return Plan(**{**values, "folder": folder, "varies": tuple(values["varies"])})


def keep_parent(folder: Path, run: str) -> None:
    """Write down the run that the members' runs are children of."""
    files.write_json(folder / _PARENT, {"run": run})


def read_parent(folder: Path) -> str | None:
    """Return the run that the members' runs are children of; None before the first member."""
    path = folder / _PARENT
    return str(files.read_json(path)["run"]) if path.exists() else None


def keep_trial(folder: Path, trial: Trial) -> None:
    """Write down what a member found, in its own folder."""
    files.write_json(folder / _TRIAL, asdict(trial))


def trials(sweep: Path) -> list[Trial]:
    """Return what was found so far, worst first."""
    found = [files.read_json(path) for path in sorted(sweep.glob(f"*/{_TRIAL}"))]
    kept = [Trial(**{**values, "overrides": tuple(values["overrides"])}) for values in found]
    return sorted(kept, key=lambda trial: trial.value if trial.higher_is_better else -trial.value)


def failures(sweep: Path) -> list[dict[str, Any]]:
    """Return number, overrides and message of each member that failed, by number."""
    return sorted((files.read_json(path) for path in sweep.glob(f"*/{FAILURE}")), key=lambda one: one["number"])
