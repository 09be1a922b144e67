"""Store the plan and the trial results of a sweep in its folder, shared by the processes of all launchers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipeline import files
from pipeline.config.hydra_job import FAILURE_FILE, SweepPlan
from pipeline.tracking.run_process import current_process

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "TrialResult",
    "read_failures",
    "read_parent",
    "read_plan",
    "read_process",
    "read_trials",
    "write_parent",
    "write_plan",
    "write_trial",
]

_PLAN_FILE = "plan.json"
_PROCESS_FILE = "process.json"
_PARENT_FILE = "parent.json"
_TRIAL_FILE = "trial.json"


@dataclass(frozen=True, slots=True)
class TrialResult:
    """The result of one trial.

    `run_key` is the id of its MLflow run, or the key of its folder in the outbox. `was_recorded` means that
    an earlier run with the same fingerprint had the result.
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
    """Write the plan of a sweep, and the process that runs it."""
    files.write_json(plan.folder / _PLAN_FILE, {**asdict(plan), "folder": plan.folder.name})
    files.write_text(plan.folder / _PROCESS_FILE, current_process().as_tag())


def read_process(folder: Path) -> str:
    """Return the tag of the process that runs a sweep; that of this process if the sweep has no plan."""
    path = folder / _PROCESS_FILE
    return path.read_text(encoding="utf-8") if path.exists() else current_process().as_tag()


def read_plan(folder: Path) -> SweepPlan | None:
    """Return the plan of a sweep; None if it was not written."""
    path = folder / _PLAN_FILE
    if not path.exists():
        return None
    values: dict[str, Any] = files.read_json(path)
    return SweepPlan(**{**values, "folder": folder, "varies": tuple(values["varies"])})


def write_parent(folder: Path, run: str) -> None:
    """Write the key of the parent run of all trials."""
    files.write_json(folder / _PARENT_FILE, {"run": run})


def read_parent(folder: Path) -> str | None:
    """Return the key of the parent run of all trials; None before the first trial."""
    path = folder / _PARENT_FILE
    return str(files.read_json(path)["run"]) if path.exists() else None


def write_trial(folder: Path, trial: TrialResult) -> None:
    """Write the result of a trial into its folder."""
    files.write_json(folder / _TRIAL_FILE, asdict(trial))


def read_trials(sweep: Path) -> list[TrialResult]:
    """Return the results so far, worst first."""
    results = [files.read_json(path) for path in sorted(sweep.glob(f"*/{_TRIAL_FILE}"))]
    trials = [TrialResult(**{**values, "overrides": tuple(values["overrides"])}) for values in results]
    return sorted(trials, key=lambda trial: trial.value if trial.higher_is_better else -trial.value)


def read_failures(sweep: Path) -> list[dict[str, Any]]:
    """Return number, overrides and message of each failed trial, by number."""
    failures = [files.read_json(path) for path in sweep.glob(f"*/{FAILURE_FILE}")]
    return sorted(failures, key=lambda failure: failure["number"])
