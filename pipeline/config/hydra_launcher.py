"""Launchers of Hydra that run the trials of a sweep on an engine: `hydra/launcher=local`, `dask` or `ray`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus, configure_log, setup_globals
from hydra.plugins.launcher import Launcher

from pipeline.config.config_loader import build_engine, load_engine
from pipeline.config.hydra_job import ComposedTrial, HydraJob, current_sweep, plain_values, stops_at_failure
from pipeline.config.hydra_settings import ENGINE_LAUNCHER
from pipeline.errors import UsageError
from pipeline.project import paths

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hydra.types import HydraContext, TaskFunction

    from pipeline.config.groups.engine_config import PartEngineConfig
    from pipeline.config.hydra_job import TrialTask

__all__ = ["EngineLauncher", "register_launcher"]


class EngineLauncher(Launcher):
    """Composes each trial in this process, and runs it by the engine, which needs no Hydra.

    Parameters
    ----------
    engine : str
        Option of the group `engine`.
    """

    __module__ = ENGINE_LAUNCHER.rpartition(".")[0]

    def __init__(self, engine: str) -> None:
        super().__init__()
        self._engine = engine
        self._config: Any = None
        self._context: Any = None
        self._task: Any = None

    def setup(self, *, hydra_context: HydraContext | None, task_function: TaskFunction, config: Any) -> None:
        """Take what Hydra has composed; Hydra calls it once."""
        self._config, self._context, self._task = config, hydra_context, task_function

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run a batch of trials and return their results, in the order of `job_overrides`.

        Raises
        ------
        UsageError
            When the stage has no trials.
        """
        task: TrialTask = self._task
        if task.runner is None:
            raise UsageError(f"hydra/launcher={self._engine}: only the stage train has trials; leave the launcher out")
        setup_globals()
        node = self._config.hydra
        configure_log(node.hydra_logging, node.verbose)
        Path(str(node.sweep.dir)).mkdir(parents=True, exist_ok=True)
        trials = [self._trial(list(overrides), initial_job_idx + at) for at, overrides in enumerate(job_overrides)]
        results = task.runner.run_on_engine(task, [trial for trial in trials if trial is not None], self._settings())
        return [_job_return(overrides, results.get(initial_job_idx + at)) for at, overrides in enumerate(job_overrides)]

    def _settings(self) -> PartEngineConfig:
        """Return the settings of the engine: its option in conf/, or the group `engine` where it is chosen."""
        chosen = plain_values(_without_hydra(self._config))["engine"]
        if chosen["kind"] != self._engine:
            return load_engine(self._engine)
        return build_engine(chosen, where=" ".join([f"{paths.CONF}/config.yaml", *self._config.hydra.overrides.task]))

    def _trial(self, overrides: list[str], number: int) -> ComposedTrial | None:
        """Return a trial with its values; None where they are invalid, which is recorded as its failure."""
        tree = _without_hydra(self._context.config_loader.load_sweep_config(self._config, overrides))
        job = HydraJob(tuple(overrides), number, current_sweep(), waits=False)
        stop = stops_at_failure(tree)
        try:
            values = plain_values(tree)
        except Exception:  # noqa: BLE001 - the task meets it again, and reports it
            self._task.run(lambda: plain_values(tree), job, stop=stop)
            return None
        # A worker waits for no other one.
        return ComposedTrial(job, {**values, "engine": load_engine("local").model_dump(mode="json")}, stop)


def _without_hydra(tree: Any) -> Any:
    from omegaconf import OmegaConf, open_dict

    bare = tree.copy()
    OmegaConf.set_readonly(bare, value=False)
    with open_dict(bare):
        del bare["hydra"]
    return bare


def _job_return(overrides: Sequence[str], value: float | None) -> JobReturn:
    ended = JobReturn(overrides=list(overrides), status=JobStatus.COMPLETED)
    ended.return_value = value
    return ended


def register_launcher() -> None:
    """Let Hydra find the launcher, under a name that it accepts."""
    sys.modules.setdefault(EngineLauncher.__module__, sys.modules[__name__])
    Plugins.instance().register(EngineLauncher)
