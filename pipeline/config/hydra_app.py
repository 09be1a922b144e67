"""Run a stage as a Hydra application over conf/, with overrides, sweeps, launchers and sweepers."""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.config.composition import check_hydra_overrides
from pipeline.config.conf_sources import ROOT_CONFIG, find_conf_sources
from pipeline.config.config_loader import build_config
from pipeline.config.hydra_job import (
    HydraJob,
    SweepRunner,
    TrialBusy,
    current_job,
    current_sweep,
    plain_values,
    stops_at_failure,
)
from pipeline.errors import ConfigError, MlopsError, UsageError
from pipeline.project import paths
from pipeline.project.engine_files import stage_command

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.config.root_config import Config

__all__ = ["HydraTask", "run_hydra_app"]

_FLAGS = {"-m", "--multirun", "--cfg", "-c", "job", "hydra", "all", "--resolve", "-r", "--info"}


@dataclass(frozen=True)
class HydraTask:
    """What Hydra runs for each composed tree: one task, and who runs and records the trials of its sweeps."""

    task: Callable[[Config], float | None]
    runner: SweepRunner | None = None

    def __call__(self, tree: Any) -> float | None:
        """Run the task on a tree of Hydra."""
        return self.run(lambda: plain_values(tree), current_job(), stop=stops_at_failure(tree))

    def run(self, compose: Callable[[], Any], job: HydraJob, *, stop: bool) -> float | None:
        """Run the task on the values that `compose` returns; the failure of a trial is recorded, and gives None.

        Raises
        ------
        TrialBusy
            When another worker runs the same configuration, and the job does not wait for it.
        ConfigError
            When the sweep was stopped.
        """
        self._refuse_when_stopped(job.sweep)
        try:
            return self.task(build_config(compose(), where=" ".join([f"{paths.CONF}/config.yaml", *job.overrides])))
        except TrialBusy:
            raise
        except Exception as error:
            if self.runner is None or not job.is_in_sweep:
                raise
            self._report_failure(job, error, stop=stop)
            if stop:
                raise
            return None

    def _report_failure(self, job: HydraJob, error: Exception, *, stop: bool) -> None:
        """Print and record the failure of one trial, with a traceback if the error is unexpected."""
        message = str(error) if isinstance(error, MlopsError) else f"{type(error).__name__}: {error}"
        if not isinstance(error, MlopsError):
            logging.getLogger(__name__).error("unexpected error in a trial:", exc_info=error)
        sys.stderr.write(f"[{job.number}] failed: {message}\n")
        if self.runner is not None:
            self.runner.record_failure(job, message, stop=stop)

    def _refuse_when_stopped(self, sweep: int | None) -> None:
        reason = None if sweep is None or self.runner is None else self.runner.stop_reason(sweep)
        if reason is not None:
            raise ConfigError(f"the sweep was stopped by its first failure (tracking.fail_fast): {reason}")

    def refuse_when_all_failed(self) -> None:
        """Raise if the sweep of this process was stopped, or if no trial succeeded."""
        sweep = current_sweep()
        if sweep is None or self.runner is None:
            return
        self._refuse_when_stopped(sweep)
        failure = self.runner.failure_of_all(sweep)
        if failure is not None:
            raise ConfigError(f"every trial of the sweep failed; the first error: {failure}")


def run_hydra_app(
    name: str,
    task: Callable[[Config], float | None],
    arguments: Sequence[str],
    *,
    runner: SweepRunner | None = None,
) -> None:
    """Run `task` on the settings that `arguments` compose, once or for each trial of a sweep.

    Without a `runner`, the first failed trial ends a sweep.

    Raises
    ------
    UsageError
        When a flag would leave conf/ (another folder, another file, a pickled run).
    ConfigError
        Naming file, key path or override.
    """
    overrides = [word for word in arguments if "=" in word or word.startswith("~")]
    unknown = [word for word in arguments if word not in overrides and word not in _FLAGS]
    if unknown:
        raise UsageError(
            f"{stage_command(name)}: {unknown[0]!r} is not used here; accepted: overrides such as"
            " model=random_forest, -m for a sweep, --cfg job, --info, --help"
        )
    check_hydra_overrides(overrides)
    flags = [word for word in arguments if word not in overrides]
    _run_hydra(HydraTask(task, runner), [*flags, *find_conf_sources(paths.CONF, overrides).hydra_overrides(overrides)])


def _run_hydra(task: HydraTask, arguments: Sequence[str]) -> None:
    import hydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from pipeline.config.hydra_launcher import register_launcher

    register_launcher()
    # Without it Hydra prints its own traceback and exits with 1; with it Hydra raises the error of the task.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    sys.argv = ["stage", *arguments]
    try:
        hydra.main(config_path=str(paths.CONF.resolve()), config_name=ROOT_CONFIG, version_base=None)(task)()
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(" ".join(str(error).split())) from error
    except ValueError:
        # Optuna raises it if no trial succeeded.
        task.refuse_when_all_failed()
        raise
    task.refuse_when_all_failed()
