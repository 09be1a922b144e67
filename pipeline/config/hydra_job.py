"""The running Hydra job: its overrides, its number in a sweep, and who records what happens to it."""

from __future__ import annotations

import os
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from pipeline.config.interpolation import check_interpolations
from pipeline.errors import Conflict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pipeline.config.groups.engine_config import PartEngineConfig

__all__ = [
    "ComposedTrial",
    "HydraJob",
    "SweepPlan",
    "SweepRunner",
    "TrialBusy",
    "TrialTask",
    "current_job",
    "current_sweep",
    "plain_values",
    "plan_sweep",
    "running_as",
    "set_current_sweep",
    "stops_at_failure",
]

# Worker processes of a launcher inherit it.
_SWEEP_VARIABLE = "MLOPS_SWEEP"


class TrialBusy(Conflict):
    """Another worker runs the same configuration now; its result may be read later."""


@dataclass(frozen=True, slots=True)
class HydraJob:
    """One manual call, or one trial of a sweep.

    `waits` is whether a trial that another worker runs is waited for, instead of raising `TrialBusy`.
    """

    overrides: tuple[str, ...]
    number: int | None = None
    sweep: int | None = None
    waits: bool = True

    @property
    def is_in_sweep(self) -> bool:
        """Whether the job is a trial of a sweep."""
        return self.sweep is not None


@dataclass(frozen=True, slots=True)
class SweepPlan:
    """A sweep before it runs: its folder, varied keys, number of trials, direction and objective."""

    folder: str
    varies: tuple[str, ...]
    n_jobs: int
    direction: str | None
    objective: str


@dataclass(frozen=True, slots=True)
class ComposedTrial:
    """A trial with its composed settings as plain values; `stop` is whether its failure stops the sweep."""

    job: HydraJob
    values: Mapping[str, Any]
    stop: bool


class TrialTask(Protocol):
    """Runs one trial on its composed values, here or in a worker."""

    @property
    def runner(self) -> SweepRunner | None:
        """Who records the trial."""

    def run(self, compose: Callable[[], Any], job: HydraJob, *, stop: bool) -> float | None:
        """Run the trial on the values that `compose` returns; the failure of a trial is recorded, and gives None."""


class SweepRunner(Protocol):
    """Records what happens to the trials of a sweep; a copy of it works in every process of the sweep."""

    def run_on_engine(
        self, task: TrialTask, trials: Sequence[ComposedTrial], config: PartEngineConfig
    ) -> Mapping[int, float | None]:
        """Run trials on an engine and return the objective by number; None for a failed one."""

    def record_failure(self, job: HydraJob, message: str, *, stop: bool) -> None:
        """Record the failure of a trial; with `stop`, later trials do not run."""

    def stop_reason(self, sweep: int) -> str | None:
        """Return why a sweep was stopped; None if it was not."""

    def failure_of_all(self, sweep: int) -> str | None:
        """Return the first failure of a sweep in which every trial failed; None otherwise."""


_running_job: ContextVar[HydraJob | None] = ContextVar("running_job", default=None)


@contextmanager
def running_as(job: HydraJob) -> Iterator[None]:
    """Let `current_job` return a job in the block: that of a worker without Hydra."""
    token = _running_job.set(job)
    try:
        yield
    finally:
        _running_job.reset(token)


def current_job() -> HydraJob:
    """Return the running job; outside of Hydra, one without overrides."""
    job = _running_job.get()
    return _hydra_job() if job is None else job


def _hydra_job() -> HydraJob:
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode
    from omegaconf import OmegaConf

    if not HydraConfig.initialized():
        return HydraJob(())
    node = HydraConfig.get()
    overrides = tuple(str(word) for word in node.overrides.task)
    if node.mode != RunMode.MULTIRUN:
        return HydraJob(overrides)
    number = None if OmegaConf.is_missing(node.job, "num") else int(node.job.num)
    return HydraJob(overrides, number, current_sweep())


def plain_values(tree: Any) -> Any:
    """Return the values of a tree, after a check of its interpolations.

    Raises
    ------
    ConfigError
        When an interpolation reads more than settings.
    """
    from omegaconf import OmegaConf

    raw: Any = OmegaConf.to_container(tree, resolve=False)
    check_interpolations(raw)
    return OmegaConf.to_container(tree, resolve=True)


def stops_at_failure(tree: Any) -> bool:
    """Return whether the sweep of a tree stops at its first failed trial."""
    from omegaconf import OmegaConf

    return OmegaConf.select(tree, "tracking.fail_fast") is True


def plan_sweep(tree: Any) -> SweepPlan:
    """Return the plan of a composed sweep."""
    from omegaconf import OmegaConf

    node = tree.hydra
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
    objective = str(OmegaConf.select(tree, "training.selection_metric"))
    return SweepPlan(str(node.sweep.dir), tuple(choices), int(n_jobs), direction_name, objective)


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


def set_current_sweep(sweep: int) -> None:
    """Pass the number of the sweep to this process and to the workers that it starts."""
    os.environ[_SWEEP_VARIABLE] = str(sweep)


def current_sweep() -> int | None:
    """Return the number of the sweep that this process or its parent runs; None without a sweep."""
    sweep = os.environ.get(_SWEEP_VARIABLE)
    return None if sweep is None else int(sweep)
