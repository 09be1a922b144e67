"""Functions that the tests of engines run in workers."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "CountedItems",
    "CountedPickles",
    "UnreadableError",
    "die_always",
    "die_once",
    "note_and_wait",
    "raise_unreadable",
    "refuse",
    "square",
    "wait_for_files",
]


class UnreadableError(DataError):
    """An error that is written but not read: its class wants two arguments."""

    def __init__(self, row: int, column: str) -> None:
        super().__init__(f"row {row}, column {column}")


class CountedItems(Sequence[int]):
    """Numbers, and how many of them were taken."""

    def __init__(self, n_items: int) -> None:
        self.n_items = n_items
        self.n_taken = 0

    def __len__(self) -> int:
        return self.n_items

    def __getitem__(self, position: int) -> int:  # type: ignore[override]
        self.n_taken += 1
        return position


class CountedPickles:
    """A function that counts how often it is pickled, and returns the process of its call."""

    n_pickles = 0

    def __reduce__(self) -> tuple[type[CountedPickles], tuple[()]]:
        CountedPickles.n_pickles += 1
        return CountedPickles, ()

    def __call__(self, _item: int) -> int:
        return os.getpid()


def square(number: int) -> int:
    return number * number


def refuse(number: int) -> int:
    raise DataError(f"row {number} is refused")


def raise_unreadable(number: int) -> int:
    raise UnreadableError(number, "age")


def die_once(folder: Path, number: int) -> int:
    """Kill this worker at the first call with 3."""
    mark = folder / f"ran-{number}"
    if number == 3 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die_always(number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return number


def note_and_wait(folder: Path, number: int) -> int:
    """Write the process of this call, and end when the folder has the file `go`."""
    (folder / f"{number}.new").write_text(str(os.getpid()), encoding="utf-8")
    (folder / f"{number}.new").rename(folder / f"{number}.pid")
    while not (folder / "go").exists():
        time.sleep(0.02)
    return number


def wait_for_files(folder: Path, pattern: str, *, n_files: int) -> None:
    """Return when a folder has as many files."""
    deadline = time.monotonic() + 60
    while len(list(folder.glob(pattern))) < n_files:
        assert time.monotonic() < deadline, f"{folder}: no {n_files} files {pattern}"
        time.sleep(0.02)
