"""Listen, answer, and stop in order: what has begun is answered, and the process ends with 0."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import signal
import socket
from typing import TYPE_CHECKING, Any

import uvicorn

from pipeline.errors import DependencyUnavailable, NotAllowed
from pipeline.serving.http.connection import Connection, Deadlines, sweep

if TYPE_CHECKING:
    from collections.abc import Generator

    from pipeline.serving.http.application import Application
    from pipeline.serving.http.traced import TracedApplication

__all__ = ["Server", "check_address", "is_loopback", "listen"]

_STOP_WITHIN_S = 9
_MAX_ACCEPTED = 200


def is_loopback(host: str) -> bool:
    """Whether only programs of this machine reach the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_address(host: str, *, is_protected: bool) -> None:
    """Refuse to listen where others can reach a server that asks for no credentials.

    Raises
    ------
    NotAllowed
        When `host` is not loopback and credentials are not asked for.
    """
    if not is_loopback(host) and not is_protected:
        raise NotAllowed(
            f"serving.host {host}: others can reach this address, and serving.authentication is 'none'."
            " Listen on 127.0.0.1, or make a key (`mlops keys create --role predict`) and start with"
            " --authentication required"
        )


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 takes a free one.

    Raises
    ------
    DependencyUnavailable
        When the address cannot be had.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(2048)
        listening.settimeout(0)
    except OSError as error:
        raise DependencyUnavailable(
            f"{host}:{port}: cannot be listened on ({error.strerror}); stop what listens there, or choose another --port"
        ) from error
    return listening


class Server(uvicorn.Server):
    """uvicorn's server with deadlines, an own order of stopping, and no signal raised again at the end.

    `front` stands before the application, where something wants to see each request first.
    """

    def __init__(
        self, application: Application, *, deadlines: Deadlines, idle_s: int, front: TracedApplication | None = None
    ) -> None:
        Connection.deadlines = deadlines
        config = uvicorn.Config(
            front if front is not None else application,
            interface="asgi3",
            http=Connection,
            ws="none",
            loop="uvloop",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=True,
            proxy_headers=False,
            timeout_keep_alive=idle_s,
            timeout_graceful_shutdown=_STOP_WITHIN_S,
        )
        super().__init__(config)
        self._application = application
        self._accepting: set[asyncio.Future[Any]] = set()
        application.connections = self.server_state.connections

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept: all that wait, at each turn of the loop.

        The loop's own servers take one connection at a turn; under overload a turn is long, and probes would wait
        for seconds behind other new connections.
        """
        self.servers = []
        for listening in sockets or ():
            asyncio.get_running_loop().add_reader(listening.fileno(), self._accept_all, listening)
        self.started = True

    def _accept_all(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(_MAX_ACCEPTED):
            try:
                accepted, _ = listening.accept()
            except OSError:
                return  # nobody waits any more; or no file descriptor is left, and they wait in the queue
            accepted.settimeout(0)
            task = asyncio.ensure_future(loop.connect_accepted_socket(self._connection, accepted))
            self._accepting.add(task)
            task.add_done_callback(self._accepting.discard)

    def _connection(self) -> Connection:
        return Connection(config=self.config, server_state=self.server_state, app_state={})

    async def on_tick(self, counter: int) -> bool:
        """Look at deadlines ten times a second."""
        sweep(self.server_state.connections, asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer what has begun while deadlines go on being looked at."""
        self._application.is_draining = True
        for listening in sockets or ():
            asyncio.get_running_loop().remove_reader(listening.fileno())
            self._accept_all(listening)
        await asyncio.gather(*self._accepting, return_exceptions=True)
        watch = asyncio.ensure_future(self._watch())
        try:
            await super().shutdown(sockets)
        finally:
            watch.cancel()

    async def _watch(self) -> None:
        while True:
            sweep(self.server_state.connections, asyncio.get_running_loop().time())
            await asyncio.sleep(0.1)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Stop at SIGTERM and SIGINT; the process then ends by itself, with 0."""
        kept: dict[int, Any] = {one: signal.signal(one, self.handle_exit) for one in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for one, handler in kept.items():
                signal.signal(one, handler)
