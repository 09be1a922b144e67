"""The running Hydra job: its overrides, its number in a sweep, its folder, its failure."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import files

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "FAILURE_FILE",
    "HydraJob",
    "SweepPlan",
    "current_job",
    "current_sweep_folder",
    "plan_sweep",
    "record_failure",
    "sweep_stop_reason",
]

FAILURE_FILE = "failure.json"
_STOP_FILE = "stopped"
# Worker processes of a launcher inherit it.
_SWEEP_VARIABLE = "MLOPS_SWEEP"


@dataclass(frozen=True, slots=True)
class HydraJob:
    """One manual call, or one trial of a sweep."""

    overrides: tuple[str, ...]
    number: int | None
    sweep_folder: Path | None

    @property
    def is_in_sweep(self) -> bool:
        """Whether the job is a trial of a sweep."""
        return self.sweep_folder is not None

    @property
    def folder(self) -> Path | None:
        """Folder of the trial; None outside of a sweep."""
        return None if self.sweep_folder is None else self.sweep_folder / str(self.number)


@dataclass(frozen=True, slots=True)
class SweepPlan:
    """A sweep before it runs: its folder, varied keys, number of trials, direction and objective."""

    folder: Path
    varies: tuple[str, ...]
    n_jobs: int
    direction: str | None
    objective: str


def current_job() -> HydraJob:
    """Return the running job; outside of Hydra, one without overrides."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode
    from omegaconf import OmegaConf

    if not HydraConfig.initialized():
        return HydraJob((), None, None)
    node = HydraConfig.get()
    overrides = tuple(str(word) for word in node.overrides.task)
    if node.mode != RunMode.MULTIRUN:
        return HydraJob(overrides, None, None)
    number = None if OmegaConf.is_missing(node.job, "num") else int(node.job.num)
    return HydraJob(overrides, number, Path(node.runtime.cwd) / str(node.sweep.dir))


def plan_sweep(tree: Any) -> SweepPlan:
    """Return the plan of a composed sweep, and pass its folder to its trials."""
    from omegaconf import OmegaConf

    node = tree.hydra
    folder = Path(node.runtime.cwd) / str(node.sweep.dir)
    os.environ[_SWEEP_VARIABLE] = str(folder)
    sweeper: Any = OmegaConf.to_container(node.sweeper, resolve=True)
    searched = {str(key): str(value) for key, value in (sweeper.get("params") or {}).items()}
    choices = _varied_keys([*(f"{key}={value}" for key, value in searched.items()), *node.overrides.task])
    n_jobs = sweeper.get("n_trials")
    if n_jobs is None:
        n_jobs = 1
        for n_values in choices.values():
            n_jobs *= max(1, n_values)
    direction = sweeper.get("direction")
    direction_name = None if direction is None else str(getattr(direction, "name", direction))
    return SweepPlan(
        folder, tuple(choices), int(n_jobs), direction_name, str(OmegaConf.select(tree, "training.selection_metric"))
    )


def _varied_keys(overrides: Sequence[str]) -> dict[str, int]:
    """Return the varied keys with their number of values; 0 for a continuous range."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    n_values_by_key = {}
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        if override.is_sweep_override():
            is_counted = override.is_discrete_sweep()
            n_values_by_key[override.get_key_element()] = (
                len(list(override.sweep_string_iterator())) if is_counted else 0
            )
    return n_values_by_key


def current_sweep_folder() -> Path | None:
    """Return the folder of the sweep that this process or its parent runs; None without a sweep."""
    folder = os.environ.get(_SWEEP_VARIABLE)
    return None if folder is None else Path(folder)


def record_failure(job: HydraJob, message: str, *, stop: bool) -> None:
    """Record the failure of a trial; with `stop`, later trials do not run."""
    if job.folder is None or job.sweep_folder is None:
        return
    files.write_json(
        job.folder / FAILURE_FILE, {"number": job.number, "overrides": list(job.overrides), "message": message}
    )
    if stop:
        files.write_text(job.sweep_folder / _STOP_FILE, f"{message}\n")


def sweep_stop_reason(folder: Path) -> str | None:
    """Return why the sweep was stopped; None if it was not."""
    path = folder / _STOP_FILE
    return path.read_text(encoding="utf-8").strip() if path.exists() else None
