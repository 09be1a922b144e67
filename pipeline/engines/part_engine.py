"""The one verb of all engines, and how to open one."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TypeVar

from pipeline.engines.local_engine import InlineEngine, ProcessEngine
from pipeline.lookup import LookupTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from pipeline.config.groups.engine_config import LocalEngineConfig, PartEngineConfig

__all__ = ["ENGINES", "PartEngine", "open_engine"]

T = TypeVar("T")
R = TypeVar("R")


class PartEngine(Protocol):
    """Runs a function on items; a worker that dies loses no item."""

    def map(self, function: Callable[[T], R], items: Sequence[T]) -> Iterator[tuple[int, R]]:
        """Yield (position of the item, result), in the order in which items end.

        Parameters
        ----------
        function : callable
            Can be pickled: a function of a module, or `functools.partial` of one. An item may run more than once,
            and twice at the same time, when its worker is lost.
        items : sequence
            Can be pickled.

        Raises
        ------
        MlopsError
            That of the function; the items that did not start are left out.
        DependencyUnavailable
            When the cluster is unavailable, or workers died more often than `engine.retries`.
        """


ENGINES: LookupTable[Callable[[PartEngineConfig], AbstractContextManager[PartEngine]]] = LookupTable("engine.kind")


def open_engine(config: PartEngineConfig) -> AbstractContextManager[PartEngine]:
    """Return a context that yields the engine and ends its workers, never those of a cluster of others.

    Raises
    ------
    DependencyUnavailable
        When the package of the engine is not installed, or its cluster is unavailable.
    """
    return ENGINES[config.kind](config)


@ENGINES.add("local")
@contextmanager
def _open_local(config: LocalEngineConfig) -> Iterator[PartEngine]:
    if config.workers == 1:
        yield InlineEngine()
        return
    engine = ProcessEngine(n_workers=config.workers, retries=config.retries)
    try:
        yield engine
    finally:
        engine.close()
