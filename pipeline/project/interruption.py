"""End a stage at SIGINT or SIGTERM with one sentence and code 130, at any moment, with its earlier outputs back.

A package that is interrupted while it is imported may turn the signal into an ImportError, or lose it. So until
the stage runs, the process is replaced by a small one that restores the outputs and ends. Later the first signal
raises KeyboardInterrupt, which lets the stage remove its unfinished files; a second one replaces the process.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["EXIT_CODE", "MESSAGE", "Interruption", "end_while_importing", "interruptible"]

EXIT_CODE = 130
MESSAGE = "stopped; earlier outputs are intact"
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Whether a signal has arrived; true also if some package has swallowed the KeyboardInterrupt."""

    def __init__(self) -> None:
        self.has_arrived = False


def end_while_importing() -> None:
    """Handle signals from now on, when this process is `python -m stages.NAME` and imports its packages."""
    if sys.argv[0] != "-m":
        return
    module = sys.orig_argv[sys.orig_argv.index("-m") + 1]
    for number in _SIGNALS:
        signal.signal(number, lambda *_: _replace_process(module.rpartition(".")[2]))


@contextmanager
def interruptible(stage: str) -> Iterator[Interruption]:
    """Raise KeyboardInterrupt in the block at the first signal; restore the earlier handlers afterwards."""
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return

    def handle(*_: object) -> None:
        if interruption.has_arrived:
            _replace_process(stage)
        interruption.has_arrived = True
        raise KeyboardInterrupt

    earlier = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield interruption
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


def _replace_process(stage: str) -> NoReturn:
    """Replace this process by one that restores the outputs of `stage`; ignored signals stay ignored there."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    os.execv(sys.executable, [sys.executable, "-m", "pipeline.project.interruption", stage])  # noqa: S606 - no shell


def _restore_and_exit(stage: str) -> NoReturn:
    from pathlib import Path

    # Imported here, because this module is imported before anything else of a stage.
    from pipeline.project.dvc_outputs import restore_outputs
    from pipeline.project.stage_runs import record_stage_end

    restored = restore_outputs(Path(), stage)
    record_stage_end(Path(), stage, exit_code=EXIT_CODE, reason="stopped")
    sys.stderr.write(f"{MESSAGE}\n")
    if restored:
        sys.stderr.write(f"[{stage}] failed; restored earlier outputs: {', '.join(restored)}\n")
    sys.exit(EXIT_CODE)


if __name__ == "__main__":
    _restore_and_exit(sys.argv[1])
