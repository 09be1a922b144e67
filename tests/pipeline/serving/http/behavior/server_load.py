"""Clients that keep a server busy."""

from __future__ import annotations

import http.client
import json
import threading
from typing import TYPE_CHECKING

from tests.fixtures.server_process import ROW

if TYPE_CHECKING:
    from tests.fixtures.server_process import RunningServer

__all__ = ["ServerLoad"]

N_CLIENTS = 8
BODY = json.dumps({"features": ROW})
HEADERS = {"Content-Type": "application/json"}


class ServerLoad:
    """Clients that send requests without a pause until the server stops."""

    def __init__(self, server: RunningServer) -> None:
        self.prediction_ids: list[str] = []
        self.failures: list[str] = []
        self._port = server.port
        self._threads = [threading.Thread(target=self._send_until_closed) for _ in range(N_CLIENTS)]
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join(timeout=20)

    def _send_until_closed(self) -> None:
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
            try:
                connection.connect()
            except OSError:
                return  # the server has stopped, and nothing was sent
            try:
                self._send_on(connection)
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
            finally:
                connection.close()

    def _send_on(self, connection: http.client.HTTPConnection) -> None:
        while True:
            connection.request("POST", "/predict", BODY, HEADERS)
            response = connection.getresponse()
            content = response.read()
            if response.status == 200:
                self.prediction_ids.append(json.loads(content)["prediction_id"])
            else:
                self.failures.append(f"{response.status} {content!r}")
            if response.will_close:
                return
