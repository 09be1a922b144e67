"""What Hydra knows about the job that runs now: its overrides, its number in a sweep, its folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import files

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["FAILURE", "Job", "Plan", "current_job", "current_sweep", "note_failure", "plan_sweep", "sweep_stopped"]

FAILURE = "failure.json"
_STOPPED = "stopped"
# Worker processes of a launcher inherit it.
_ENVIRONMENT = "MLOPS_SWEEP"


@dataclass(frozen=True, slots=True)
class Job:
    """One call by hand, or one member of a sweep."""

    overrides: tuple[str, ...]
    number: int | None
    sweep_folder: Path | None

    @property
    def is_in_sweep(self) -> bool:
        """Whether the job is a member of a sweep."""
        return self.sweep_folder is not None

    @property
    def folder(self) -> Path | None:
        """Folder of its own in a sweep."""
        return None if self.sweep_folder is None else self.sweep_folder / str(self.number)


@dataclass(frozen=True, slots=True)
class Plan:
    """A sweep before it runs: its folder, what varies in it, how many members it has, which way it looks for."""

    folder: Path
    varies: tuple[str, ...]
    n_jobs: int
    direction: str | None
    objective: str


def current_job() -> Job:
    """Return the running job; a plain one without overrides outside of Hydra."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode
    from omegaconf import OmegaConf

    if not HydraConfig.initialized():
        return Job((), None, None)
    node = HydraConfig.get()
    overrides = tuple(str(word) for word in node.overrides.task)
    if node.mode != RunMode.MULTIRUN:
        return Job(overrides, None, None)
    number = None if OmegaConf.is_missing(node.job, "num") else int(node.job.num)
    return Job(overrides, number, Path(node.runtime.cwd) / str(node.sweep.dir))


def plan_sweep(tree: Any) -> Plan:
    """Return what a composed sweep is going to do, and make its folder known to its jobs."""
    from omegaconf import OmegaConf

    node = tree.hydra
    folder = Path(node.runtime.cwd) / str(node.sweep.dir)
    os.environ[_ENVIRONMENT] = str(folder)
    sweeper: Any = OmegaConf.to_container(node.sweeper, resolve=True)
    searched = {str(key): str(value) for key, value in (sweeper.get("params") or {}).items()}
    choices = _sweeps([*(f"{key}={value}" for key, value in searched.items()), *node.overrides.task])
    n_jobs = sweeper.get("n_trials")
    if n_jobs is None:
        n_jobs = 1
        for n_values in choices.values():
            n_jobs *= max(1, n_values)
    direction = sweeper.get("direction")
    shown = None if direction is None else str(getattr(direction, "name", direction))
    return Plan(folder, tuple(choices), int(n_jobs), shown, str(OmegaConf.select(tree, "training.objective")))


def _sweeps(overrides: Sequence[str]) -> dict[str, int]:
    """Return the keys that vary with their number of values; 0 where it has no end."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    found = {}
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        if override.is_sweep_override():
            is_counted = override.is_discrete_sweep()
            found[override.get_key_element()] = len(list(override.sweep_string_iterator())) if is_counted else 0
    return found


def current_sweep() -> Path | None:
    """Return the folder of the sweep that this process, or the one that started it, runs; None when there is none."""
    named = os.environ.get(_ENVIRONMENT)
    return None if named is None else Path(named)


def note_failure(job: Job, message: str, *, stop: bool) -> None:
    """Write down that a member of a sweep failed; with `stop` those that follow are not run."""
    if job.folder is None or job.sweep_folder is None:
        return
    files.write_json(job.folder / FAILURE, {"number": job.number, "overrides": list(job.overrides), "message": message})
    if stop:
        files.write_text(job.sweep_folder / _STOPPED, f"{message}\n")


def sweep_stopped(folder: Path) -> str | None:
    """Return why the sweep was stopped; None when it was not."""
    path = folder / _STOPPED
    return path.read_text(encoding="utf-8").strip() if path.exists() else None
