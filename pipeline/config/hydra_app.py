"""Run a stage as a Hydra application over conf/, with overrides, sweeps, launchers and sweepers."""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.config.composition import check_hydra_overrides, compose
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

_FLAGS = {"-m", "--multirun", "-r", "--run", "--resolve", "--hydra-help", "--version"}
_CFG_WORDS = ("job", "hydra", "all")
_INFO_WORDS = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
# Flags with a value, and the accepted values; None accepts any.
_VALUE_FLAGS: dict[str, tuple[str, ...] | None] = {
    "--cfg": _CFG_WORDS,
    "-c": _CFG_WORDS,
    "--info": _INFO_WORDS,
    "-i": _INFO_WORDS,
    "--package": None,
    "-p": None,
}
_COMPLETION_FLAGS = {"-sc", "--shell-completion"}


@dataclass(frozen=True)
class HydraTask:
    """What Hydra runs for each composed tree: one task, and who runs and records the trials of its sweeps."""

    task: Callable[[Config], float | None]
    runner: SweepRunner | None = None

    def __call__(self, tree: Any) -> float | None:
        """Run the task on a tree of Hydra."""
        return self.run(lambda: plain_values(tree), current_job(), stop=stops_at_failure(tree))

    def run(self, tree: Callable[[], Any], job: HydraJob, *, stop: bool) -> float | None:
        """Run the task on the values that `tree` returns; the failure of a trial is recorded, and gives None.

        Raises
        ------
        TrialBusy
            When another worker runs the same configuration, and the job does not wait for it.
        ConfigError
            When the sweep was stopped.
        """
        self._refuse_when_stopped(job.sweep)
        try:
            return self.task(build_config(tree(), where=_settings_of(job.overrides)))
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
    flags, overrides = _split_arguments(name, arguments)
    check_hydra_overrides(overrides)
    if _prints_settings(name, flags):
        # Hydra would print settings that a run refuses.
        build_config(compose(overrides).values, where=_settings_of(overrides))
    # The overrides first: the flag --info would take the next word as its value.
    _run_hydra(HydraTask(task, runner), [*find_conf_sources(paths.CONF, overrides).hydra_overrides(overrides), *flags])


def _split_arguments(name: str, arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the flags with their values, and the overrides; refuse a flag that a stage does not have."""
    flags: list[str] = []
    overrides: list[str] = []
    for word in arguments:
        key, equals, value = word.partition("=")
        is_value = bool(flags) and _takes(flags[-1], word)
        if is_value or word in _FLAGS or word in _VALUE_FLAGS or (key in _VALUE_FLAGS and _takes(key, value)):
            flags.append(word)
        elif word in _COMPLETION_FLAGS:
            raise UsageError(
                f"{stage_command(name)}: {word}: Hydra completes the words of a script, and not of a module;"
                f" `{stage_command(name)} --help` lists groups and settings"
            )
        elif not word.startswith("-") and (equals or word.startswith("~")):
            overrides.append(word)
        else:
            raise UsageError(
                f"{stage_command(name)}: {word!r} is not used here; accepted: overrides such as model=random_forest,"
                f" -m for a sweep, --cfg {'|'.join(_CFG_WORDS)}, -p PACKAGE, --resolve,"
                f" --info {'|'.join(_INFO_WORDS)}, --hydra-help, --version, --help"
            )
    return flags, overrides


def _prints_settings(name: str, flags: Sequence[str]) -> bool:
    """Whether the call prints the composed settings; refuse flags that exclude each other."""
    given = {flag.partition("=")[0] for flag in flags}
    commands = [pair for pair in (("--cfg", "-c"), ("--info", "-i"), ("--multirun", "-m")) if given & set(pair)]
    if len(commands) > 1:
        raise UsageError(f"{stage_command(name)}: use one of {', '.join(long for long, _ in commands)}")
    prints_settings = bool(given & {"--cfg", "-c"})
    if not prints_settings and given & {"--resolve", "--package", "-p"}:
        raise UsageError(f"{stage_command(name)}: --resolve and --package need --cfg {'|'.join(_CFG_WORDS)}")
    return prints_settings


def _takes(flag: str, word: str) -> bool:
    """Whether a word is a value of a flag."""
    accepted = _VALUE_FLAGS.get(flag, ())
    return not word.startswith("-") if accepted is None else word in accepted


def _settings_of(overrides: Sequence[str]) -> str:
    return " ".join([f"{paths.CONF}/config.yaml", *overrides])


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
