"""A process of this machine that runs items, and ends with the process that started it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from pipeline.engines.item_call import ItemCall, load_value

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

__all__ = ["WorkerProcess"]

_POLL_INTERVAL_S = 0.2
_END_TIMEOUT_S = 5
# A forked process would share the threads' locks of this one.
_CONTEXT = multiprocessing.get_context("spawn")


class WorkerProcess:
    """A process that runs one item at a time.

    Attributes
    ----------
    connection : Connection
        Can be read when the result is there, or when the process died; for `multiprocessing.connection.wait`.
    """

    def __init__(self) -> None:
        self.connection, end = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=_serve, args=(end, os.getpid()), daemon=True, name="mlops-worker")
        self._process.start()
        end.close()  # the other end closes when the process dies
        self._call: bytes | None = None

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process.is_alive()

    def start(self, call: bytes, item: bytes) -> None:
        """Send an item; the call is sent as well when it is another one than before."""
        with suppress(BrokenPipeError, ConnectionResetError):  # `result` reports the death
            self.connection.send((None if call is self._call else call, item))
        self._call = call

    def result(self) -> bytes:
        """Return the result of the item, for `read_result`.

        Raises
        ------
        EOFError
            When the process died.
        """
        try:
            return self.connection.recv_bytes()
        except OSError as error:
            raise EOFError from error

    def end(self) -> str:
        """End the process at once, and return how it ended."""
        is_alive = self.is_alive
        self.connection.close()
        if is_alive:
            self._process.kill()
        self._process.join(_END_TIMEOUT_S)
        code = self._process.exitcode
        self._process.close()
        if code is not None and code < 0:
            return signal.Signals(-code).name
        return f"exit code {code}"


def _serve(connection: Connection, parent: int) -> None:
    """Run items until the other end closes."""
    # Ctrl-C reaches all processes of the terminal; the parent ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_with_parent, args=(parent,), daemon=True).start()
    call: ItemCall[Any, Any] = ItemCall(load_value)
    with suppress(EOFError, OSError):
        while True:
            changed_call, item = connection.recv()
            if changed_call is not None:
                call = _load_call(changed_call)
            connection.send_bytes(call(item))


def _load_call(text: bytes) -> ItemCall[Any, Any]:
    """Return a call; one that raises the error when it cannot be loaded here."""
    try:
        call: ItemCall[Any, Any] = load_value(text)
    except Exception as error:  # noqa: BLE001 - raised in the process that reads the result
        return ItemCall(partial(_refuse, error))
    return call


def _refuse(error: Exception, _item: object) -> None:
    raise error


def _exit_with_parent(parent: int) -> None:
    """End this process when its parent is gone, so that nothing is written without it."""
    while os.getppid() == parent:
        time.sleep(_POLL_INTERVAL_S)
    os._exit(1)
