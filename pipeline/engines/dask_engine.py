"""Run items as tasks of a Dask cluster that runs already."""

from __future__ import annotations

import time
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline.engines.cluster_address import cluster_address, unavailable
from pipeline.engines.cluster_engine import ClusterEngine
from pipeline.engines.item_call import dump_value, load_value
from pipeline.errors import DependencyUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from distributed import Client

    from pipeline.config.groups.engine_config import DaskEngineConfig
    from pipeline.engines.item_call import ItemCall
    from pipeline.engines.worker_deaths import WorkerDeaths

__all__ = ["DaskEngine", "open_dask"]

_POLL_INTERVAL_S = 1.0

T = TypeVar("T")


@contextmanager
def open_dask(config: DaskEngineConfig) -> Iterator[DaskEngine]:
    """Yield an engine that is connected to the cluster; what it submitted is cancelled at the end.

    Raises
    ------
    DependencyUnavailable
        When `distributed` is not installed, no address is set, or the scheduler does not respond.
    """
    address = cluster_address(config, example="tcp://scheduler:8786")
    try:
        import distributed
    except ModuleNotFoundError as error:
        raise DependencyUnavailable(
            "engine.kind dask: the package distributed is not installed; run `pip install 'declarative-mlops[dask]'`"
        ) from error
    try:
        client = distributed.Client(address, timeout=config.timeout_s, set_as_default=False, name="mlops")
    except (OSError, ValueError, RuntimeError, TypeError) as error:  # TypeError: without certificates
        raise unavailable(config, address, error) from error
    with client:
        yield DaskEngine(client, config)


class DaskEngine(ClusterEngine):
    """Submits items to the scheduler of a Dask cluster."""

    def __init__(self, client: Client, config: DaskEngineConfig) -> None:
        super().__init__(retries=config.retries, n_submitted=config.workers)
        self._client = client
        self._config = config

    def _n_parallel(self) -> int:
        try:
            n_threads: int = sum(self._client.nthreads().values())
        except (CancelledError, OSError):  # the scheduler does not respond
            return 0
        return n_threads

    def _share(self, call: ItemCall[Any, Any]) -> Any:
        # A task returns the function, so that the cluster has it once, and makes it again when its worker dies.
        return self._client.submit(load_value, dump_value(call), pure=False)

    def _submit(self, shared: Any, item: bytes) -> Any:
        return self._client.submit(_run_item, shared, item, pure=False)

    def _wait_for_ended(self, running: Mapping[Any, int], *, is_more: bool) -> list[Any]:
        from distributed import wait

        def ask(timeout_s: float) -> list[Any]:
            try:
                with self._client.as_current():
                    return list(wait(list(running), timeout=timeout_s, return_when="FIRST_COMPLETED").done)
            except TimeoutError:
                if is_more and self._has_room(running):
                    return []
                raise

        return self._repeat(ask, _POLL_INTERVAL_S)

    def _result(self, task: Any, position: int, deaths: WorkerDeaths) -> bytes | None:
        from distributed.scheduler import KilledWorker

        def ask(timeout_s: float) -> bytes:
            result: bytes = task.result(timeout=timeout_s)
            return result

        try:
            # Dask asks a worker that died after its task for half a minute; a new call finds the task run elsewhere.
            return self._repeat(ask, self._config.timeout_s / 4)
        except KilledWorker as error:
            deaths.add(position, f"last on {error.last_worker.address}", n_deaths=error.allowed_failures + 1)
            return None
        except DependencyUnavailable:
            raise
        except Exception as error:
            raise DependencyUnavailable(
                f"engine.kind dask: a worker failed before the function ran ({type(error).__name__}: {error});"
                " run the driver, the scheduler and all workers from one image"
            ) from error

    def _repeat(self, ask: Callable[[float], T], timeout_s: float) -> T:
        """Return what `ask` returns; call it again after each timeout, while the cluster has workers."""
        deadline = time.monotonic() + self._config.timeout_s
        while True:
            try:
                return ask(timeout_s)
            except TimeoutError:
                if self._n_parallel():
                    deadline = time.monotonic() + self._config.timeout_s
            except (CancelledError, OSError) as error:
                raise self._lost(error) from error
            if time.monotonic() > deadline:
                raise DependencyUnavailable(
                    f"engine.kind dask: the cluster has had no worker for"
                    f" {self._config.timeout_s} s; start workers with `dask worker`, or raise engine.timeout_s"
                )

    def _lost(self, error: BaseException) -> DependencyUnavailable:
        return DependencyUnavailable(
            f"engine.kind dask: the scheduler was lost, or dropped the tasks ({type(error).__name__}: {error});"
            " run the same command again: parts that ended are not run again"
        )

    def _cancel(self, running: Iterable[Any], shared: Any) -> None:
        if self._client.status == "running":
            self._client.cancel([*running, shared])


def _run_item(call: ItemCall[Any, Any], item: bytes) -> bytes:
    return call(item)
