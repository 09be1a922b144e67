"""Run items as tasks of a Dask cluster that runs already."""

from __future__ import annotations

import time
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pipeline.engines.cluster_address import cluster_address, unavailable
from pipeline.engines.cluster_engine import ClusterEngine
from pipeline.engines.item_call import dump_value, load_value
from pipeline.errors import DependencyUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from distributed import Client

    from pipeline.config.groups.engine_config import DaskEngineConfig
    from pipeline.engines.item_call import ItemCall
    from pipeline.engines.worker_deaths import WorkerDeaths

__all__ = ["DaskEngine", "open_dask"]

_POLL_INTERVAL_S = 1.0


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
        n_threads: int = sum(self._client.nthreads().values())
        return n_threads

    def _share(self, call: ItemCall[Any, Any]) -> Any:
        # A task returns the function, so that the cluster has it once, and makes it again when its worker dies.
        return self._client.submit(load_value, dump_value(call), pure=False)

    def _submit(self, shared: Any, item: bytes) -> Any:
        return self._client.submit(_run_item, shared, item, pure=False)

    def _wait_for_one(self, running: Mapping[Any, int]) -> list[Any]:
        from distributed import wait

        deadline = time.monotonic() + self._config.timeout_s
        while True:
            try:
                with self._client.as_current():
                    ended = wait(list(running), timeout=_POLL_INTERVAL_S, return_when="FIRST_COMPLETED")
                return list(ended.done)
            except TimeoutError:
                if self._has_workers():
                    deadline = time.monotonic() + self._config.timeout_s
            except (CancelledError, OSError) as error:
                raise self._lost(error) from error
            if time.monotonic() > deadline:
                raise DependencyUnavailable(
                    f"engine.kind dask: the cluster has had no worker for"
                    f" {self._config.timeout_s} s; start workers with `dask worker`, or raise engine.timeout_s"
                )

    def _result(self, task: Any, position: int, deaths: WorkerDeaths) -> bytes | None:
        from distributed.scheduler import KilledWorker

        while True:
            try:
                result: bytes = task.result(timeout=self._config.timeout_s)
            except KilledWorker as error:
                deaths.add(position, f"last on {error.last_worker.address}", n_deaths=error.allowed_failures + 1)
                return None
            except TimeoutError as error:
                # A worker that died after the task ended is asked for half a minute; the task then runs elsewhere.
                if not self._has_workers():
                    raise self._lost(error) from error
            except (CancelledError, OSError) as error:
                raise self._lost(error) from error
            except Exception as error:
                raise DependencyUnavailable(
                    f"engine.kind dask: a worker failed before the function ran ({type(error).__name__}: {error});"
                    " run the driver, the scheduler and all workers from one image"
                ) from error
            else:
                return result

    def _has_workers(self) -> bool:
        try:
            return bool(self._client.nthreads())
        except (CancelledError, OSError):  # no scheduler responds
            return False

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
