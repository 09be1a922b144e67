"""Check the two locks of DVC: the notes of running stages, and the lock of the repository."""

from __future__ import annotations

import fcntl
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from pipeline.config.parent_watch import is_dvc_process
from pipeline.files import write_text
from pipeline.maintenance.diagnosis import Diagnosis
from pipeline.maintenance.dvc_schemas import is_dvc_rwlock

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["check_repository_lock", "check_running_stages"]

_RWLOCK = Path(".dvc/tmp/rwlock")
_REPOSITORY_LOCK = Path(".dvc/tmp/lock")
_WAIT_S = 1.0
_POLL_S = 0.1
_CLOCK_TOLERANCE_S = 2.0


def check_running_stages(root: Path, *, repair: bool) -> Diagnosis:
    """Check the notes of running DVC commands, which a killed one leaves empty, cut or stale."""
    path = root / _RWLOCK
    if not path.exists():
        return Diagnosis("dvc locks", "ok", "none held")
    try:
        noted = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError):
        noted = None
    if not is_dvc_rwlock(noted):
        return _repair(path, "the lock file is empty or damaged and blocks every DVC command", {}, repair=repair)
    holders = {entry["pid"]: entry["cmd"] for entry in _entries(noted)}
    noted_at = path.stat().st_mtime
    gone = {pid for pid in holders if not _is_holder(pid, noted_at)}
    if gone:
        left = _without(noted, gone)
        return _repair(path, f"held by processes that ended: {', '.join(map(str, sorted(gone)))}", left, repair=repair)
    held = ", ".join(f"{pid} ({cmd})" for pid, cmd in sorted(holders.items()))
    return Diagnosis("dvc locks", "ok", f"held by {held}" if held else "none held")


def check_repository_lock(root: Path, *, repair: bool) -> Diagnosis:  # noqa: ARG001 - all checks share one signature
    """Check the lock that DVC holds for moments; one that is held for longer stops every other DVC command."""
    path = root / _REPOSITORY_LOCK
    deadline = time.monotonic() + _WAIT_S
    while (is_held := _is_held(path)) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    if not is_held:
        return Diagnosis("dvc repository lock", "ok", "free")
    holder = path.read_text(encoding="utf-8", errors="replace").strip() or "unknown"
    return Diagnosis(
        "dvc repository lock",
        "problem",
        f"another process (id {holder[:20]}) holds {_REPOSITORY_LOCK}; wait for it, or end it",
    )


def _is_held(path: Path) -> bool:
    try:
        with path.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def _entries(noted: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for entries in noted.get("read", {}).values():
        yield from entries
    yield from noted.get("write", {}).values()


def _without(noted: dict[str, Any], gone: set[int]) -> dict[str, Any]:
    """Return the notes without those of processes that ended."""
    read = {
        path: [entry for entry in entries if entry["pid"] not in gone]
        for path, entries in noted.get("read", {}).items()
    }
    write = {path: entry for path, entry in noted.get("write", {}).items() if entry["pid"] not in gone}
    return {"read": {path: entries for path, entries in read.items() if entries}, "write": write}


def _is_holder(pid: int, noted_at: float) -> bool:
    """Return whether a live DVC process has this id since before the note; ids are reused."""
    try:
        process = psutil.Process(pid)
        return is_dvc_process(process) and process.create_time() <= noted_at + _CLOCK_TOLERANCE_S
    except psutil.Error:
        return False


def _repair(path: Path, problem: str, left: dict[str, Any], *, repair: bool) -> Diagnosis:
    if not repair:
        return Diagnosis("dvc locks", "problem", f"{problem}; run `mlops doctor` without --dry-run to repair it")
    if any(left.values()):
        write_text(path, json.dumps(left))
        return Diagnosis("dvc locks", "repaired", f"{problem}; removed; the notes of running processes stay")
    path.unlink()
    return Diagnosis("dvc locks", "repaired", f"{problem}; removed; DVC creates it again")
