"""Run uvicorn with our timeouts, and shut down after the requests that have started."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from typing import TYPE_CHECKING, Any

import uvicorn

from pipeline.errors import DependencyUnavailable
from pipeline.serving.http.protocol import DeadlineProtocol, Timeouts, close_expired

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

    from pipeline.serving.http.application import Application
    from pipeline.serving.http.request_tracing import TracedApplication

__all__ = ["HttpServer", "bind_socket"]

_SHUTDOWN_TIMEOUT_S = 9
_MAX_ACCEPTS_PER_TURN = 200


def bind_socket(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 selects a free port.

    Raises
    ------
    DependencyUnavailable
        When the address is not available.
    """
    try:
        family, socket_type, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, socket_type, protocol)
        with contextlib.ExitStack() as cleanup:
            cleanup.callback(listening.close)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(2048)
            listening.settimeout(0)
            cleanup.pop_all()
    except OSError as error:
        raise DependencyUnavailable(
            f"{host}:{port}: the server cannot listen ({error.strerror});"
            " stop the program that does, or choose another --port"
        ) from error
    return listening


class HttpServer(uvicorn.Server):
    """uvicorn's server with timeouts, a graceful shutdown, and no signal raised again at its end.

    Parameters
    ----------
    application : Application
    timeouts : Timeouts
    keep_alive_s : int
        Seconds after which an idle connection is closed.
    asgi_app : TracedApplication, optional
        Wraps `application`, and receives the requests in its place.

    Attributes
    ----------
    on_shutdown : callable, optional
        Set before the start; called with the seconds that running requests get, while they finish.
    """

    on_shutdown: Callable[[float], Awaitable[None]] | None = None

    def __init__(
        self,
        application: Application,
        *,
        timeouts: Timeouts,
        keep_alive_s: int,
        asgi_app: TracedApplication | None = None,
    ) -> None:
        DeadlineProtocol.timeouts = timeouts
        config = uvicorn.Config(
            asgi_app if asgi_app is not None else application,
            interface="asgi3",
            http=DeadlineProtocol,
            ws="none",
            loop="uvloop",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=True,
            proxy_headers=False,
            timeout_keep_alive=keep_alive_s,
            timeout_graceful_shutdown=_SHUTDOWN_TIMEOUT_S,
        )
        super().__init__(config)
        self._application = application
        self._accept_tasks: set[asyncio.Future[Any]] = set()
        application.server_status.connections = self.server_state.connections

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept all waiting connections at each turn of the event loop.

        The servers of asyncio accept one connection a turn. Under overload a turn is long, and probes would wait for
        seconds behind other new connections.
        """
        self.servers = []
        for listening in sockets or ():
            asyncio.get_running_loop().add_reader(listening.fileno(), self._accept_all, listening)
        self.started = True

    def _accept_all(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(_MAX_ACCEPTS_PER_TURN):
            try:
                accepted, _ = listening.accept()
            except OSError:
                return  # no connection waits, or no file descriptor is free and they wait in the queue
            accepted.settimeout(0)
            task = asyncio.ensure_future(loop.connect_accepted_socket(self._create_protocol, accepted))
            self._accept_tasks.add(task)
            task.add_done_callback(self._accept_tasks.discard)

    def _create_protocol(self) -> DeadlineProtocol:
        return DeadlineProtocol(config=self.config, server_state=self.server_state, app_state={})

    async def on_tick(self, counter: int) -> bool:
        """Close expired connections, ten times a second."""
        close_expired(self.server_state.connections, asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish the requests that have started, with their timeouts in force."""
        self._application.server_status.is_draining = True
        for listening in sockets or ():
            asyncio.get_running_loop().remove_reader(listening.fileno())
            self._accept_all(listening)
        await asyncio.gather(*self._accept_tasks, return_exceptions=True)
        closing = asyncio.ensure_future(self._close_expired_periodically())
        others = [] if self.on_shutdown is None else [self.on_shutdown(_SHUTDOWN_TIMEOUT_S)]
        try:
            await asyncio.gather(super().shutdown(sockets), *others)
        finally:
            closing.cancel()

    async def _close_expired_periodically(self) -> None:
        while True:
            close_expired(self.server_state.connections, asyncio.get_running_loop().time())
            await asyncio.sleep(0.1)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Stop at SIGTERM and SIGINT; the process then ends with exit code 0."""
        previous: dict[int, Any] = {
            number: signal.signal(number, self.handle_exit) for number in (signal.SIGTERM, signal.SIGINT)
        }
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
