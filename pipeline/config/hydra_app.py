"""Run a stage as a Hydra application over conf/, with overrides, sweeps, launchers and sweepers."""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING, Any

from pipeline.config.composition import check_hydra_overrides
from pipeline.config.config_loader import build_config
from pipeline.config.hydra_job import (
    FAILURE_FILE,
    HydraJob,
    current_job,
    current_sweep_folder,
    record_failure,
    sweep_stop_reason,
)
from pipeline.config.interpolation import check_interpolations
from pipeline.errors import ConfigError, MlopsError, UsageError
from pipeline.files import read_json
from pipeline.project import paths

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.config.root_config import Config

__all__ = ["run_hydra_app"]

_FLAGS = {"-m", "--multirun", "--cfg", "-c", "job", "hydra", "all", "--resolve", "-r", "--info"}


def run_hydra_app(name: str, task: Callable[[Config], float | None], arguments: Sequence[str]) -> None:
    """Run `task` on the settings that `arguments` compose, once or for each trial of a sweep.

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
            f"python -m stages.{name}: {unknown[0]!r} is not used here; accepted: overrides such as"
            " model=random_forest, -m for a sweep, --cfg job, --info, --help"
        )
    check_hydra_overrides(overrides)
    _run_hydra(task)


def _run_hydra(task: Callable[[Config], float | None]) -> None:
    import hydra
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    def job(tree: Any) -> float | None:
        trial = current_job()
        _refuse_when_stopped(trial)
        try:
            raw: Any = OmegaConf.to_container(tree, resolve=False)
            check_interpolations(raw)
            values: Any = OmegaConf.to_container(tree, resolve=True)
            return task(build_config(values, where=" ".join([f"{paths.CONF}/config.yaml", *trial.overrides])))
        except Exception as error:
            stop = OmegaConf.select(tree, "tracking.fail_fast") is True
            if trial.is_in_sweep:
                _report_failure(trial, error, stop=stop)
            if stop or not trial.is_in_sweep:
                raise
            return None

    # Without it Hydra prints its own traceback and exits with 1; with it Hydra raises the error of the task.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    sys.argv[0] = "stage"
    try:
        hydra.main(config_path=str(paths.CONF.resolve()), config_name="config", version_base=None)(job)()
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(" ".join(str(error).split())) from error
    except ValueError:
        # Optuna raises it if no trial succeeded.
        _refuse_when_all_failed()
        raise
    _refuse_when_all_failed()


def _report_failure(trial: HydraJob, error: Exception, *, stop: bool) -> None:
    """Print and record the failure of one trial, with a traceback if the error is unexpected."""
    message = str(error) if isinstance(error, MlopsError) else f"{type(error).__name__}: {error}"
    if not isinstance(error, MlopsError):
        logging.getLogger(__name__).error("unexpected error in a trial:", exc_info=error)
    sys.stderr.write(f"[{trial.number}] failed: {message}\n")
    record_failure(trial, message, stop=stop)


def _refuse_when_stopped(trial: HydraJob) -> None:
    reason = None if trial.sweep_folder is None else sweep_stop_reason(trial.sweep_folder)
    if reason is not None:
        raise ConfigError(f"the sweep was stopped by its first failure (tracking.fail_fast): {reason}")


def _refuse_when_all_failed() -> None:
    """Raise if the sweep was stopped, or if no trial succeeded."""
    folder = current_sweep_folder()
    if folder is None:
        return
    reason = sweep_stop_reason(folder)
    if reason is not None:
        raise ConfigError(f"the sweep was stopped by its first failure (tracking.fail_fast): {reason}")
    failures = sorted(folder.glob(f"*/{FAILURE_FILE}"))
    if failures and len(failures) == len([path for path in folder.iterdir() if path.is_dir()]):
        raise ConfigError(f"every trial of the sweep failed; the first error: {read_json(failures[0])['message']}")
