"""Keep what the members of a sweep found in its folder, where every launcher's processes can read and write."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipeline import files
from pipeline.config.hydra_job import FAILURE_FILE, SweepPlan

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "TrialResult",
    "read_failures",
    "read_parent",
    "read_plan",
    "read_trials",
    "write_parent",
    "write_plan",
    "write_trial",
]

_PLAN_FILE = "plan.json"
_PARENT_FILE = "parent.json"
_TRIAL_FILE = "trial.json"


@dataclass(frozen=True, slots=True)
class TrialResult:
    """What one member of a sweep found.

    `run` is the id of its run in MLflow (or the key of its folder in the outbox); `was_known` says that
    an earlier run with the same fingerprint had the answer already.
    """

    number: int | None
    label: str
    metric: str
    value: float
    std: float | None
    higher_is_better: bool
    run_key: str
    was_recorded: bool
    duration_s: float
    overrides: tuple[str, ...]


def write_plan(plan: SweepPlan) -> None:
    """Write down what the sweep is going to do."""
    files.write_json(plan.folder / _PLAN_FILE, {**asdict(plan), "folder": plan.folder.name})


def read_plan(folder: Path) -> SweepPlan | None:
    """Return what the sweep is going to do; None when nobody wrote it down."""
    path = folder / _PLAN_FILE
    if not path.exists():
        return None
    values: dict[str, Any] = files.read_json(path)
    return SweepPlan(**{**values, "folder": folder, "varies": tuple(values["varies"])})


def write_parent(folder: Path, run: str) -> None:
    """Write down the run that the members' runs are children of."""
    files.write_json(folder / _PARENT_FILE, {"run": run})


def read_parent(folder: Path) -> str | None:
    """Return the run that the members' runs are children of; None before the first member."""
    path = folder / _PARENT_FILE
    return str(files.read_json(path)["run"]) if path.exists() else None


def write_trial(folder: Path, trial: TrialResult) -> None:
    """Write down what a member found, in its own folder."""
    files.write_json(folder / _TRIAL_FILE, asdict(trial))


def read_trials(sweep: Path) -> list[TrialResult]:
    """Return what was found so far, worst first."""
    found = [files.read_json(path) for path in sorted(sweep.glob(f"*/{_TRIAL_FILE}"))]
    kept = [TrialResult(**{**values, "overrides": tuple(values["overrides"])}) for values in found]
    return sorted(kept, key=lambda trial: trial.value if trial.higher_is_better else -trial.value)


def read_failures(sweep: Path) -> list[dict[str, Any]]:
    """Return number, overrides and message of each member that failed, by number."""
    return sorted((files.read_json(path) for path in sweep.glob(f"*/{FAILURE_FILE}")), key=lambda one: one["number"])
