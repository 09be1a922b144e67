"""End this process with the DVC that started it, so that an orphan never overwrites later outputs."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from pathlib import PurePath

import psutil

__all__ = ["exit_with_dvc", "is_dvc_process"]

_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)
_POLL_INTERVAL_S = 0.2


def exit_with_dvc() -> None:
    """End this process when the nearest DVC among its parents ends; without one, do nothing.

    On Linux the kernel kills this process with its parent. A thread polls all processes up to DVC,
    because a shell may run between the two.
    """
    chain = _parents_up_to_dvc()
    if not chain:
        return
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    threading.Thread(target=_exit_when_parent_ends, args=(chain,), daemon=True).start()


def _parents_up_to_dvc() -> list[psutil.Process]:
    parents: list[psutil.Process] = psutil.Process().parents()
    for index, process in enumerate(parents):
        if is_dvc_process(process):
            return parents[: index + 1]
    return []


def is_dvc_process(process: psutil.Process) -> bool:
    """Return whether a process runs DVC: `dvc ...`, `python path/dvc ...` or `python -m dvc ...`."""
    try:
        words = process.cmdline()[:3]
    except psutil.Error:
        return False
    is_program = any(PurePath(word).name in ("dvc", "dvc.exe") for word in words[:2])
    return is_program or (words[1:2] == ["-m"] and words[2:] == ["dvc"])


def _exit_when_parent_ends(chain: list[psutil.Process]) -> None:
    while all(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in chain):
        time.sleep(_POLL_INTERVAL_S)
    os._exit(1)
