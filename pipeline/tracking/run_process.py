"""Identify the process that logs a run, to end the runs whose process is gone."""

from __future__ import annotations

import json
import os
import socket
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.tracking.run_store import RunStore

__all__ = ["PROCESS_TAG", "RunProcess", "current_process", "mark_abandoned_runs_killed"]

PROCESS_TAG = "mlops.process"
_PAGE_SIZE = 1000
_MACHINE_ID = "/etc/machine-id"
# The kernel gives the namespace of processes outside of containers this fixed number.
_MACHINE_NAMESPACE = "pid:[4026531836]"


@dataclass(frozen=True, slots=True)
class RunProcess:
    """One process: its machine, the boot of the machine, its namespace of process ids, its id and its start.

    `host` is the name of the machine, then a space and its id where it has one. An empty `boot` or `namespace` is
    unknown. `started_at` is in ticks of the kernel since boot, which no change of the clock moves.
    """

    host: str
    boot: str
    namespace: str
    pid: int
    started_at: int

    def as_tag(self) -> str:
        """Return the value of the tag."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_tag(cls, text: str) -> RunProcess | None:
        """Return the process that `as_tag` wrote; None for another text."""
        try:
            values: dict[str, Any] = json.loads(text)
            names = {name: str(values[name]) for name in ("host", "boot", "namespace")}
            return cls(**names, pid=int(values["pid"]), started_at=int(values["started_at"]))
        except (KeyError, TypeError, ValueError):
            return None

    def is_gone(self, here: RunProcess | None = None) -> bool:
        """Return whether the process has ended for certain; False where `here`, by default this process, cannot know.

        A process of another machine or container is never known to be gone. A process id that another
        process has now is recognized by its start.
        """
        here = current_process() if here is None else here
        if "" in (self.boot, self.namespace) or (self.host, self.namespace) != (here.host, here.namespace):
            return False
        if self.boot != here.boot:
            # No process survives a restart of the machine. In a container, the same names may be another machine's.
            return here.namespace == _MACHINE_NAMESPACE and " " in here.host
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except OSError:
            pass
        found = _read_process(self.pid)
        return found is not None and (found.started_at != self.started_at or found.is_zombie)


@dataclass(frozen=True, slots=True)
class _ProcessStat:
    started_at: int
    is_zombie: bool


def current_process() -> RunProcess:
    """Return this process."""
    return _describe(os.getpid())


@cache
def _describe(pid: int) -> RunProcess:
    found = _read_process(pid)
    namespace = ""
    with suppress(OSError):
        namespace = str(Path("/proc/self/ns/pid").readlink())
    return RunProcess(
        host=f"{socket.gethostname()} {_first_line(_MACHINE_ID)}".strip(),
        boot="" if found is None else _first_line("/proc/sys/kernel/random/boot_id"),
        namespace=namespace,
        pid=pid,
        started_at=0 if found is None else found.started_at,
    )


def _read_process(pid: int) -> _ProcessStat | None:
    """Return what the kernel shows about a process; None where it shows nothing."""
    # The name in the second field may contain any character, also parentheses.
    fields = _first_line(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return _ProcessStat(int(fields[19]), is_zombie=fields[0] in "ZX") if len(fields) > 19 else None


def _first_line(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def mark_abandoned_runs_killed(store: RunStore, experiment: str) -> list[str]:
    """Give the running runs of an experiment whose process is gone the status KILLED, and return their ids.

    Raises
    ------
    StoreUnreachable
        When the store does not respond.
    """
    experiment_id, client = store.experiment_id(experiment), store.client()
    ended, token = [], None
    with store.translate_errors():
        while True:
            page = client.search_runs(
                [experiment_id], "attributes.status = 'RUNNING'", max_results=_PAGE_SIZE, page_token=token
            )
            ended += [run.info.run_id for run in page if _is_abandoned(run)]
            token = page.token
            if not token:
                break
        for run_id in ended:
            client.set_terminated(run_id, "KILLED")
    return ended


def _is_abandoned(run: Any) -> bool:
    process = RunProcess.from_tag(run.data.tags.get(PROCESS_TAG, ""))
    return process is not None and process.is_gone()
