"""Run items as tasks of a Ray cluster that runs already."""

from __future__ import annotations

import logging
import socket
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pipeline.engines.cluster_address import cluster_address, unavailable
from pipeline.engines.cluster_engine import ClusterEngine
from pipeline.errors import DependencyUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pipeline.config.groups.engine_config import RayEngineConfig
    from pipeline.engines.item_call import ItemCall
    from pipeline.engines.worker_deaths import WorkerDeaths

__all__ = ["RayEngine", "open_ray"]

_POLL_INTERVAL_S = 1.0
# `ray.init` would start a cluster, or take any that runs on this machine.
_NO_ADDRESSES = ("auto", "local")


@contextmanager
def open_ray(config: RayEngineConfig) -> Iterator[RayEngine]:
    """Yield an engine that is connected to the cluster; what it submitted is cancelled at the end.

    Raises
    ------
    DependencyUnavailable
        When `ray` is not installed, no address is set, or the cluster does not respond.
    """
    address = cluster_address(config, example="10.0.0.1:6379")
    if address in _NO_ADDRESSES:
        raise DependencyUnavailable(
            f"engine.kind ray: {config.address_env} is {address!r}; expected the host and port of a running cluster,"
            " such as 10.0.0.1:6379; no cluster is started for you"
        )
    try:
        import ray
    except ModuleNotFoundError as error:
        raise DependencyUnavailable(
            "engine.kind ray: the package ray is not installed; run `pip install 'declarative-mlops[ray]'`"
        ) from error
    is_connected = ray.is_initialized()
    if not is_connected:
        try:
            _require_listener(address, config.timeout_s)
            ray.init(address, configure_logging=False, log_to_driver=False, logging_level=logging.ERROR)
        except (OSError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
            raise unavailable(config, address, error) from error
    try:
        yield RayEngine(config)
    finally:
        if not is_connected:
            ray.shutdown()


class RayEngine(ClusterEngine):
    """Submits items to the cluster that this process is connected to."""

    def __init__(self, config: RayEngineConfig) -> None:
        super().__init__(retries=config.retries, n_submitted=config.workers)
        self._config = config

    def _n_parallel(self) -> int:
        return _n_cpus()

    def _share(self, call: ItemCall[Any, Any]) -> Any:
        import ray

        # Ray exports the function once, and each worker reads it once. Deaths are counted by item, not by Ray.
        return ray.remote(num_cpus=1, max_retries=0)(_exported(call))

    def _submit(self, shared: Any, item: bytes) -> Any:
        return shared.remote(item)

    def _wait_for_ended(self, running: Mapping[Any, int], *, is_more: bool) -> list[Any]:
        import ray

        deadline = time.monotonic() + self._config.timeout_s
        while True:
            ended: list[Any] = ray.wait(list(running), num_returns=1, timeout=_POLL_INTERVAL_S)[0]
            if ended or (is_more and self._has_room(running)):
                return ended
            if _n_cpus():
                deadline = time.monotonic() + self._config.timeout_s
            elif time.monotonic() > deadline:
                raise DependencyUnavailable(
                    f"engine.kind ray: the cluster has had no CPU for {self._config.timeout_s} s; start nodes with"
                    " `ray start`, or raise engine.timeout_s"
                )

    def _result(self, task: Any, position: int, deaths: WorkerDeaths) -> bytes | None:
        import ray

        lost = ray.exceptions
        try:
            result: bytes = ray.get(task)
        except (
            lost.WorkerCrashedError,
            lost.NodeDiedError,
            lost.LocalRayletDiedError,
            lost.OutOfMemoryError,
            lost.ObjectLostError,
        ) as error:
            deaths.add(position, f"{type(error).__name__}: {_first_line(error)}")
            return None
        except ray.exceptions.RayError as error:
            raise DependencyUnavailable(
                f"engine.kind ray: a worker failed before the function ran ({type(error).__name__}:"
                f" {_last_line(error)}); run the driver and all nodes from one image"
            ) from error
        return result

    def _cancel(self, running: Iterable[Any], shared: Any) -> None:  # noqa: ARG002 - Ray drops the function itself
        import ray

        for task in running:
            ray.cancel(task)


def _require_listener(address: str, timeout_s: float) -> None:
    """Raise an `OSError` when nothing listens at a host and port, for which `ray.init` waits minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not port.isdigit():
        raise ValueError("expected HOST:PORT")
    socket.create_connection((host, int(port)), timeout=timeout_s).close()


def _n_cpus() -> int:
    import ray

    return int(ray.cluster_resources().get("CPU", 0))


def _exported(call: ItemCall[Any, Any]) -> Callable[[bytes], bytes]:
    """Return a plain function, which is what Ray exports."""

    def run_item(item: bytes) -> bytes:
        return call(item)

    return run_item


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "")


def _last_line(error: Exception) -> str:
    return next(reversed(str(error).strip().splitlines()), "")
