"""Run the graph of DVC in a worktree within a budget of processor time, and end all of its processes beyond it."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from pipeline.errors import Conflict, DependencyUnavailable, GateRefused
from pipeline.project.dvc_messages import explain_dvc_error
from pipeline.project.stage_runs import load_stage_runs
from pipeline.registry.candidate_registration import RETRAIN_ENV

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.retraining.retrain_worktree import RetrainWorktree

__all__ = ["REPRO", "GraphBudget", "run_graph"]

REPRO = ("-m", "dvc", "repro")  # arguments of the interpreter

_POLL_S = 0.2
_END_POLL_S = 0.02
_REFUSED = 5


@dataclass(frozen=True, slots=True)
class GraphBudget:
    """How long the graph may run: seconds of processor time, whether to stop now, and seconds to end by itself then."""

    max_cpu_s: float
    should_stop: Callable[[], bool]
    grace_s: float = 10.0


def run_graph(worktree: RetrainWorktree, budget: GraphBudget, *, command: Sequence[str] = REPRO) -> float:
    """Run `dvc repro`, or another command, in a worktree and return its processor time in seconds.

    Runs and versions go to the state database of the workspace. An interrupted graph continues where it was: DVC
    repeats unfinished stages only. While a graph of a killed process still runs, a second one is refused.

    Raises
    ------
    Conflict
        When another process runs the graph of this retrain, or this run was asked to stop.
    DependencyUnavailable
        When a stage fails, or the budget is used up.
    GateRefused
        When the gates of the stage `register` refuse the candidate.
    """
    with worktree.lock.open("a") as handle, (worktree.checkout / ".graph.log").open("w+") as output:
        _require_lock(handle, worktree)
        process = _start(command, worktree, handle, output)
        try:
            cpu_s = _wait(process, worktree, budget)
        finally:
            _end(process, grace_s=budget.grace_s)
        output.seek(0)
        _check_end(process.returncode, output.read(), worktree, command=command)
        return cpu_s


def _require_lock(handle: IO[str], worktree: RetrainWorktree) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Conflict(f"retrain {worktree.seq}: another process trains it now; wait for it to end") from None


def _start(
    command: Sequence[str], worktree: RetrainWorktree, handle: IO[str], output: IO[str]
) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DVC_", "GIT_"))}
    environment |= {"DVC_ROOT": str(worktree.root.resolve()), "DVC_NO_ANALYTICS": "1", RETRAIN_ENV: str(worktree.seq)}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    return subprocess.Popen(  # noqa: S603 - the commands of this package
        [sys.executable, *command],
        cwd=worktree.folder,
        env=environment,
        stdout=output,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        pass_fds=(handle.fileno(),),  # the lock lasts as long as the graph, also when this process is killed
    )


def _wait(process: subprocess.Popen[str], worktree: RetrainWorktree, budget: GraphBudget) -> float:
    cpu_s = 0.0
    while process.poll() is None:
        cpu_s = max(cpu_s, _cpu_s(process.pid))
        if cpu_s > budget.max_cpu_s:
            raise DependencyUnavailable(
                f"retrain {worktree.seq}: used {cpu_s:.0f} s of processor time; expected at most"
                f" {budget.max_cpu_s:g} s; raise lifecycle.retrain.max_cpu_s or choose a faster model"
            )
        if budget.should_stop():
            raise Conflict(f"retrain {worktree.seq}: stopped while it trained; the next run of the loop continues it")
        time.sleep(_POLL_S)
    return cpu_s


def _cpu_s(pid: int) -> float:
    """Return the processor time of a process and its descendants; ended ones count through their parents."""
    import psutil

    try:
        parent = psutil.Process(pid)
        processes = [parent, *parent.children(recursive=True)]
    except psutil.Error:
        return 0.0
    total = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.Error:  # it ended meanwhile
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def _end(process: subprocess.Popen[str], *, grace_s: float) -> None:
    """End the process group unless its graph came to an end; a stage may outlive DVC, whose lock is gone then."""
    ended = process.poll()
    if ended is not None and ended >= 0:
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        if not _signal_group(process, number):
            return
        deadline = time.monotonic() + grace_s
        while _signal_group(process, 0) and time.monotonic() < deadline:
            time.sleep(_END_POLL_S)


def _signal_group(process: subprocess.Popen[str], number: int) -> bool:
    """Send a signal to the process group and return whether one of its processes was left."""
    process.poll()
    try:
        os.killpg(process.pid, number)
    except (PermissionError, ProcessLookupError):  # macOS does not permit a signal to a process that ended
        return False
    return True


def _check_end(return_code: int, printed: str, worktree: RetrainWorktree, *, command: Sequence[str]) -> None:
    if return_code == 0:
        return
    ended = [run for run in load_stage_runs(worktree.folder).values() if run.exit_code not in (0, None)]
    for run in ended:
        if run.stage == "register" and run.exit_code == _REFUSED:
            raise GateRefused(run.reason or "the gates refused the candidate")
    reason = f"; {ended[-1].summary}" if ended else ""
    raise DependencyUnavailable(
        f"`{_shown(command)}` failed in the worktree of retrain {worktree.seq}: {explain_dvc_error(printed)}{reason}"
    )


def _shown(command: Sequence[str]) -> str:
    """Return a command as people write it."""
    return " ".join(command[1:]) if command[0] == "-m" else " ".join(("mlops", *command[2:]))
