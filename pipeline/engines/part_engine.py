"""The one verb of all engines, and how to open one."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from pipeline.engines.local_engine import InlineEngine
from pipeline.lookup import LookupTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from pipeline.config.groups.engine_config import (
        DaskEngineConfig,
        LocalEngineConfig,
        PartEngineConfig,
        RayEngineConfig,
    )

__all__ = ["ENGINES", "PartEngine", "open_engine"]

T = TypeVar("T")
R = TypeVar("R")


class PartEngine(Protocol):
    """Runs a function on items; a worker that dies loses no item."""

    def map(self, function: Callable[[T], R], items: Sequence[T], *, noun: str = "part") -> Iterator[tuple[int, R]]:
        """Yield (position of the item, result), in the order in which items end.

        Parameters
        ----------
        function : callable
            Can be pickled: a function of a module, or `functools.partial` of one. An item may run more than once,
            and twice at the same time, when its worker is lost.
        items : sequence
            Can be pickled.
        noun : str
            What an item is, for messages.

        Raises
        ------
        Exception
            That of the function, of the class that it raised; the items that did not start are left out.
        DependencyUnavailable
            When the cluster is unavailable, the worker of an item died more often than `engine.retries`, or a worker
            has other versions than this process.
        """


ENGINES: LookupTable[Callable[[Any], AbstractContextManager[PartEngine]]] = LookupTable("engine.kind")


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
    from pipeline.engines.process_engine import ProcessEngine  # who runs parts in this process imports no other engine

    engine = ProcessEngine(n_workers=config.workers, retries=config.retries)
    try:
        yield engine
    finally:
        engine.close()


@ENGINES.add("dask")
def _open_dask(config: DaskEngineConfig) -> AbstractContextManager[PartEngine]:
    from pipeline.engines.dask_engine import open_dask

    return open_dask(config)


@ENGINES.add("ray")
def _open_ray(config: RayEngineConfig) -> AbstractContextManager[PartEngine]:
    from pipeline.engines.ray_engine import open_ray

    return open_ray(config)
