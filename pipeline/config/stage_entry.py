"""Run a stage for DVC on params.yaml, or for a person with overrides or as a sweep.

DVC's call (`python -m stages.train -cd . -cn params`) reads the composed file and imports no Hydra. A
manual call is a Hydra application over conf/.
"""

from __future__ import annotations

import errno
import gc
import logging
import sys
import time
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from pipeline.config.conf_sources import check_graph_dependencies
from pipeline.config.config_loader import load_params
from pipeline.config.declared_files import check_declared_files
from pipeline.config.parent_watch import exit_with_dvc
from pipeline.errors import DependencyUnavailable, MlopsError, UsageError
from pipeline.files import exclusive_lock
from pipeline.project import paths
from pipeline.project.dvc_outputs import restore_outputs
from pipeline.project.engine_files import stage_command
from pipeline.project.interruption import EXIT_CODE, MESSAGE, Interruption, interruptible
from pipeline.project.root import require_project
from pipeline.project.stage_digests import check_engine
from pipeline.project.stage_runs import record_stage_end, record_stage_start
from pipeline.tracing import root_span

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.config.hydra_job import SweepRunner
    from pipeline.config.root_config import Config

    StageTask = Callable[[Config], float | None]

__all__ = ["run_compose_stage", "stage"]

_DVC_ARGUMENTS = ["-cd", ".", "-cn", "params"]
_WAIT_FOR_LOCK_S = 30
_SERVICE_NAME = "mlops-stages"


def stage(
    name: str,
    *,
    manual_task: StageTask | None = None,
    sweep_runner: SweepRunner | None = None,
    is_in_graph: bool = True,
) -> Callable[[StageTask], Callable[[], None]]:
    """Return a decorator that turns `main(config)` into a stage, called without arguments.

    Parameters
    ----------
    name : str
        Name of the block in dvc.yaml.
    manual_task : callable, optional
        Task of a manual call, such as a trial that leaves the outputs of the graph unchanged. A sweep
        compares its return value.
    sweep_runner : SweepRunner, optional
        Runs the trials of a sweep and records them; without one, the first failure ends a sweep.
    is_in_graph : bool
        Whether the stage writes outputs of the graph; another stage runs without the project lock.

    Notes
    -----
    The process exits with a code of `pipeline.errors`. One stage at a time holds the kernel lock of the
    project. A stage that DVC started ends with DVC, so that it never overwrites later outputs.
    """

    def decorate(main: StageTask) -> Callable[[], None]:
        task = TracedTask(name, main) if is_in_graph else main
        manual = task if manual_task is None else TracedTask(name, manual_task)

        @wraps(main)
        def called() -> None:
            arguments = sys.argv[1:]
            if {"-h", "--help"} & set(arguments):
                _show_help(name)
            elif arguments == _DVC_ARGUMENTS and not is_in_graph:
                _run_or_exit(name, lambda: task(load_params()))
            elif arguments == _DVC_ARGUMENTS:
                _run_or_exit(name, lambda: _run_for_dvc(name, task), writes_outputs=True)
            else:
                _run_or_exit(name, lambda: _run_manually(name, manual, arguments, sweep_runner))

        return called

    return decorate


@dataclass(frozen=True, slots=True)
class TracedTask:
    """A task in a span of its stage; a worker process gets a copy."""

    name: str
    task: StageTask

    def __call__(self, config: Config) -> float | None:
        """Run the task."""
        with root_span(f"stage {self.name}", _SERVICE_NAME):
            return self.task(config)


def run_compose_stage(check: Callable[[Config], None]) -> None:
    """Run the stage that writes params.yaml from conf/, and print each changed key.

    Parameters
    ----------
    check : callable
        Refuses settings that a later stage would refuse; then nothing is written.
    """
    if {"-h", "--help"} & set(sys.argv[1:]):
        _show_help("compose")
    else:
        _run_or_exit("compose", lambda: _write_params(check), writes_outputs=True)


def _write_params(check: Callable[[Config], None]) -> None:
    from pipeline.config.params_file import write_params

    if sys.argv[1:]:
        key = sys.argv[1].partition("=")[0]  # the value may be a secret
        raise UsageError(
            f"{stage_command('compose')}: {key!r} is not used here; use `dvc exp run -S ...` for overrides, or edit"
            " conf/"
        )
    require_project()
    exit_with_dvc()
    with (
        exclusive_lock(paths.PROJECT_LOCK, operation="compose", wait_s=_WAIT_FOR_LOCK_S),
        root_span("stage compose", _SERVICE_NAME),
    ):
        check_engine(Path())
        check_declared_files(Path())
        check_graph_dependencies(Path())
        for line in write_params(Path(), check=check):
            sys.stdout.write(f"[compose] {line}\n")


def _show_help(name: str) -> None:
    from pipeline.config.stage_help import stage_help

    sys.stdout.write(stage_help(name))


def _run_for_dvc(name: str, main: StageTask) -> None:
    exit_with_dvc()
    check_engine(Path())
    check_declared_files(Path())
    config = load_params()
    _run_locked(name, main, config)
    # Without it the last garbage collection walks all objects of pandas and scikit-learn: 0.3 to 0.9 s a stage.
    gc.freeze()


def _run_locked(name: str, main: StageTask, config: Config) -> float | None:
    with exclusive_lock(paths.PROJECT_LOCK, operation=name, wait_s=_WAIT_FOR_LOCK_S):
        started = time.monotonic()
        sys.stdout.write(f"[{name}] starts\n")
        sys.stdout.flush()
        value = main(config)
        sys.stdout.write(f"[{name}] done in {time.monotonic() - started:.1f} s\n")
        return value


def _run_manually(name: str, task: StageTask, arguments: list[str], sweep_runner: SweepRunner | None) -> None:
    from pipeline.config.hydra_app import run_hydra_app

    require_project()
    check_engine(Path())
    run_hydra_app(name, task, arguments, runner=sweep_runner)


def _restore_outputs(name: str) -> None:
    restored = restore_outputs(Path(), name)
    if restored:
        sys.stderr.write(f"[{name}] failed; restored earlier outputs: {', '.join(restored)}\n")


def _run_or_exit(name: str, work: Callable[[], object], *, writes_outputs: bool = False) -> None:
    """Run `work`; on an error, print its message, restore outputs that DVC removed, and exit with its code."""
    if writes_outputs:
        record_stage_start(Path(), name)
    with interruptible(name) as interruption:
        try:
            _exit_on_error(work, interruption)
        except SystemExit as ended:
            if writes_outputs:
                _restore_outputs(name)
                record_stage_end(Path(), name, exit_code=_code_of(ended), reason=_first_line(ended.__context__))
            raise
    if writes_outputs:
        record_stage_end(Path(), name, exit_code=0, reason="")


def _code_of(ended: SystemExit) -> int:
    return ended.code if isinstance(ended.code, int) else int(ended.code is not None)


def _first_line(error: BaseException | None) -> str:
    return str(error).partition("\n")[0] if isinstance(error, MlopsError) else ""


def _exit_on_error(work: Callable[[], object], interruption: Interruption) -> None:
    try:
        work()
    except BaseException as error:
        if interruption.has_arrived or isinstance(error, KeyboardInterrupt):
            _exit(MESSAGE, EXIT_CODE)  # whatever a package made of the signal
        if isinstance(error, MlopsError):
            _exit(str(error), error.exit_code)
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            place = error.filename or "disk"
            _exit(f"{place}: no space left; earlier outputs are intact", DependencyUnavailable.exit_code)
        if not isinstance(error, Exception):
            raise
        logging.getLogger(__name__).exception("internal error; please report the traceback below")
        sys.exit(MlopsError.exit_code)
    if interruption.has_arrived:
        _exit(MESSAGE, EXIT_CODE)


def _exit(message: str, code: int) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.write(f"{message}\n")
    sys.exit(code)
