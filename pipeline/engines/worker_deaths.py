"""Count the workers that died while they ran an item, and end a run that an item cannot survive."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pipeline.errors import DependencyUnavailable
from pipeline.text import pluralize, shorten

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["WorkerDeaths"]


class WorkerDeaths:
    """Counts deaths of workers by item.

    Parameters
    ----------
    items : sequence
    retries : int
        How often an item runs again after its worker died.
    noun : str
        What an item is, for messages.
    """

    def __init__(self, items: Sequence[object], *, retries: int, noun: str) -> None:
        self._items = items
        self._retries = retries
        self._noun = noun
        self._n_deaths: Counter[int] = Counter()

    def add(self, position: int, reason: str, *, n_deaths: int = 1) -> None:
        """Count deaths during an item.

        Raises
        ------
        DependencyUnavailable
            When there were more than `retries`; the message names the item, the number and the last reason.
        """
        self._n_deaths[position] += n_deaths
        n_all = self._n_deaths[position]
        if n_all > self._retries:
            raise DependencyUnavailable(
                f"engine: {self._noun} {shorten(repr(self._items[position]))} ended its worker"
                f" {pluralize(n_all, 'time')} ({reason}); look for a lack of memory (the worker's log, `dmesg`),"
                " then lower engine.part_rows or the number of workers; engine.retries allows more deaths"
            )
