"""One entry point, two callers: DVC runs a stage on params.yaml, a person runs it with overrides or a sweep.

DVC's call (`python -m stages.train -cd . -cn params`) reads the composed file and imports no Hydra; a
person's call is a Hydra application over conf/.
"""

from __future__ import annotations

import errno
import gc
import logging
import sys
import time
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from pipeline import paths
from pipeline.config.load import load_params
from pipeline.config.orphan import end_with_dvc
from pipeline.errors import DependencyUnavailable, MlopsError, UsageError
from pipeline.files import exclusive
from pipeline.outputs import bring_back
from pipeline.tracing import traced

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.config.types import Config

    Task = Callable[[Config], float | None]

__all__ = ["run_compose", "stage"]

_BY_DVC = ["-cd", ".", "-cn", "params"]
_WAIT_FOR_LOCK_S = 30
_SERVICE = "mlops-stages"


def stage(name: str, *, by_hand: Task | None = None, is_in_graph: bool = True) -> Callable[[Task], Callable[[], None]]:
    """Return a decorator that makes `main(config)` a stage which is called without arguments.

    Parameters
    ----------
    name : str
        Name of the block in dvc.yaml.
    by_hand : callable, optional
        What a person's call runs instead: a trial, say, that leaves the graph's outputs alone. Its return
        value is what a sweep compares.
    is_in_graph : bool
        Whether it makes outputs of the graph; one that does not runs beside it, without the project's lock.

    Notes
    -----
    The process ends with the exit code of `pipeline.errors`. Only one stage at a time holds the project's
    kernel lock, and a stage that DVC started ends when DVC does: it must not overwrite what came later.
    """

    def decorate(main: Task) -> Callable[[], None]:
        task = _traced(name, main) if is_in_graph else main
        alone = task if by_hand is None else _traced(name, by_hand)

        @wraps(main)
        def called() -> None:
            arguments = sys.argv[1:]
            if {"-h", "--help"} & set(arguments):
                _show_help(name)
            elif arguments == _BY_DVC and not is_in_graph:
                _ended_well(lambda: task(load_params()))
            elif arguments == _BY_DVC:
                _ended_well(lambda: _run_for_dvc(name, task), on_failure=lambda: _bring_back(name))
            else:
                _ended_well(lambda: _run_by_hand(name, alone, arguments))

        return called

    return decorate


def _traced(name: str, task: Task) -> Task:
    def run(config: Config) -> float | None:
        with traced(f"stage {name}", _SERVICE):
            return task(config)

    return run


def run_compose() -> None:
    """Run the stage that makes params.yaml of conf/, and print each key that changes."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        _show_help("compose")
    else:
        _ended_well(_compose, on_failure=lambda: _bring_back("compose"))


def _compose() -> None:
    from pipeline.config.staging import stage_params

    if sys.argv[1:]:
        raise UsageError(
            f"python -m stages.compose: {sys.argv[1]!r} is not used here; overrides belong to `dvc exp run -S ...`,"
            " lasting changes into conf/"
        )
    end_with_dvc()
    with exclusive(paths.LOCK, what="compose", wait_s=_WAIT_FOR_LOCK_S), traced("stage compose", _SERVICE):
        for line in stage_params(Path()):
            sys.stdout.write(f"[compose] {line}\n")


def _show_help(name: str) -> None:
    from pipeline.config.help import page

    sys.stdout.write(page(name))


def _run_for_dvc(name: str, main: Task) -> None:
    end_with_dvc()
    config = load_params()
    _locked(name, main, config)
    # Without this the interpreter's last collection walks every object of pandas and scikit-learn: 0.3 to 0.9 s a stage.
    gc.freeze()


def _locked(name: str, main: Task, config: Config) -> float | None:
    with exclusive(paths.LOCK, what=name, wait_s=_WAIT_FOR_LOCK_S):
        started = time.monotonic()
        sys.stdout.write(f"[{name}] starts\n")
        sys.stdout.flush()
        value = main(config)
        sys.stdout.write(f"[{name}] done in {time.monotonic() - started:.1f} s\n")
        return value


def _run_by_hand(name: str, task: Task, arguments: list[str]) -> None:
    from pipeline.config.hydra_app import run

    run(name, task, arguments)


def _bring_back(name: str) -> None:
    restored = bring_back(Path(), name)
    if restored:
        sys.stderr.write(f"[{name}] failed; earlier outputs are back: {', '.join(restored)}\n")


def _ended_well(work: Callable[[], object], *, on_failure: Callable[[], None] = lambda: None) -> None:
    """Run `work`; end the process with the exit code of what it raises, and a letter instead of a trace."""
    try:
        _told(work)
    except SystemExit:
        on_failure()
        raise


def _told(work: Callable[[], object]) -> None:
    try:
        work()
    except MlopsError as error:
        _end(str(error), error.exit_code)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _end(f"{error.filename or 'disk'}: no space left; earlier outputs are intact", DependencyUnavailable.exit_code)
    except KeyboardInterrupt:
        _end("stopped; earlier outputs are intact", 130)
    except Exception:
        logging.getLogger(__name__).exception("this is a bug of ours; please report what stands below")
        sys.exit(MlopsError.exit_code)


def _end(message: str, code: int) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.write(f"{message}\n")
    sys.exit(code)
