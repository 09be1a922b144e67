"""A relay in front of a store: it breaks connections in the middle, or holds what a client sends."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["StoreRelay", "relay_to"]

_CHUNK_BYTES = 1 << 16


class StoreRelay:
    """Connections to `address`, of which the first `n_faulty` end after some bytes.

    Attributes
    ----------
    n_faulty : int
        Connections that still break.
    request_limit, response_limit : int or None
        Bytes of one connection after which it breaks.
    is_holding : bool
        Whether a connection beyond its limit stays open, silent, in place of breaking.
    limit_reached : Event
        Set when a connection has reached its limit.
    """

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._target = (parts.hostname, parts.port)
        self.n_faulty = 0
        self.request_limit: int | None = None
        self.response_limit: int | None = None
        self.is_holding = False
        self.limit_reached = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                store = socket.create_connection(self._target)
                for source, sink, limit in (
                    (client, store, self.request_limit),
                    (store, client, self.response_limit),
                ):
                    threading.Thread(target=self._pump, args=(source, sink, limit), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, limit: int | None) -> None:
        n_bytes = 0
        with suppress(OSError):
            while chunk := source.recv(_CHUNK_BYTES):
                n_bytes += len(chunk)
                if limit is not None and n_bytes > limit and self.n_faulty > 0:
                    self.limit_reached.set()
                    if self.is_holding:
                        continue
                    self.n_faulty -= 1
                    break
                sink.sendall(chunk)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@contextmanager
def relay_to(address: str) -> Iterator[StoreRelay]:
    relay = StoreRelay(address)
    yield relay
    relay.close()
