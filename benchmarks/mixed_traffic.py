"""Requests of every kind, good and bad, that clients send to servers in random order until they are stopped."""

from __future__ import annotations

import http.client
import json
import random
import socket
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from peer_servers import open_inference_body

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MixedTraffic"]

_BATCH_ROWS = 100
_PAUSE_S = 0.01
_N_KNOWN_IDS = 100
_N_HALF_OPEN = 20


@dataclass(slots=True)
class MixedTraffic:
    """Sends requests to the servers at `ports`, and counts each kind with its response."""

    ports: list[int]
    rows: list[dict[str, Any]]
    model: str
    counts: Counter[str] = field(default_factory=Counter)
    prediction_ids: list[str] = field(default_factory=list)
    stop_event: threading.Event = field(default_factory=threading.Event)

    def run_client(self, seed: int) -> None:
        """Send requests until the end, a third of them single rows."""
        generator = random.Random(seed)
        half_open: list[socket.socket] = []
        kinds: tuple[Callable[[random.Random], str], ...] = (
            *[self._predict] * 8, self._keep_alive, self._repeat, self._opt_out, self._batch_json, self._batch_csv,
            self._tensors, self._feedback, self._feedback, self._explain, self._what_if, self._read, self._read,
            self._upgrade, self._refused, self._unknown_path, self._bytes_behind, self._cut_off, self._rubbish,
        )  # fmt: skip
        while not self.stop_event.wait(_PAUSE_S):
            send = generator.choice(kinds)
            try:
                result = send(generator)
            except OSError as error:
                result = type(error).__name__
            self.counts[f"{send.__name__.strip('_')} {result}"] += 1
            if generator.random() < 0.02:
                self._open_half(half_open, generator)
        for connection in half_open:
            connection.close()

    @staticmethod
    def row_body(row: dict[str, Any]) -> bytes:
        """Return the body that asks for the prediction of a row."""
        return json.dumps({"features": row}).encode()

    def _connect(self, generator: random.Random) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", generator.choice(self.ports), timeout=30)

    def _open_socket(self, generator: random.Random) -> socket.socket:
        return socket.create_connection(("127.0.0.1", generator.choice(self.ports)), timeout=30)

    def _request(
        self, generator: random.Random, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        connection = self._connect(generator)
        try:
            connection.request(
                "GET" if body is None else "POST", path, body, {"Content-Type": "application/json", **(headers or {})}
            )
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def _post(self, generator: random.Random, path: str, body: Any) -> str:
        return str(self._request(generator, path, json.dumps(body).encode())[0])

    def _random_body(self, generator: random.Random) -> bytes:
        return self.row_body(generator.choice(self.rows))

    def _predict(self, generator: random.Random) -> str:
        status, body = self._request(generator, "/predict", self._random_body(generator))
        if status == 200:
            self.prediction_ids = [*self.prediction_ids[1 - _N_KNOWN_IDS :], json.loads(body)["prediction_id"]]
        return str(status)

    def _keep_alive(self, generator: random.Random) -> str:
        connection = self._connect(generator)
        try:
            for _ in range(10):
                connection.request(
                    "POST", "/predict", self._random_body(generator), {"Content-Type": "application/json"}
                )
                response = connection.getresponse()
                response.read()
            return str(response.status)
        finally:
            connection.close()

    def _repeat(self, generator: random.Random) -> str:
        headers, body = {"Idempotency-Key": f"key-{generator.randrange(10**12)}"}, self._random_body(generator)
        responses = {self._request(generator, "/predict", body, headers) for _ in range(3)}
        return str(responses.pop()[0]) if len(responses) == 1 else "differs"

    def _opt_out(self, generator: random.Random) -> str:
        return str(self._request(generator, "/predict?log=false", self._random_body(generator))[0])

    def _batch_json(self, generator: random.Random) -> str:
        return self._post(generator, "/predict/batch", {"instances": generator.choices(self.rows, k=_BATCH_ROWS)})

    def _batch_csv(self, generator: random.Random) -> str:
        lines = [",".join(self.rows[0])]
        lines += [",".join(map(str, row.values())) for row in generator.choices(self.rows, k=_BATCH_ROWS)]
        body = "\n".join(lines).encode()
        return str(self._request(generator, "/predict/batch", body, {"Content-Type": "text/csv"})[0])

    def _tensors(self, generator: random.Random) -> str:
        body = open_inference_body(generator.choices(self.rows, k=_BATCH_ROWS), output="probabilities")
        return self._post(generator, f"/v2/models/{self.model}/infer", body)

    def _feedback(self, generator: random.Random) -> str:
        if not self.prediction_ids:
            return "skipped"
        outcome = {"prediction_id": generator.choice(self.prediction_ids), "outcome": "Introvert"}
        return self._post(generator, "/feedback", {"outcomes": [outcome]})

    def _explain(self, generator: random.Random) -> str:
        return str(self._request(generator, "/v1/explain", self._random_body(generator))[0])

    def _what_if(self, generator: random.Random) -> str:
        return str(self._request(generator, "/v1/what-if", self._random_body(generator))[0])

    def _read(self, generator: random.Random) -> str:
        paths = ("/v1/status", "/metrics", "/v1/models", "/openapi.json", "/readyz", "/livez", "/health", "/docs")
        return str(self._request(generator, generator.choice(paths))[0])

    def _upgrade(self, generator: random.Random) -> str:
        headers = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQAAP__"}
        return str(self._request(generator, "/predict", self._random_body(generator), headers)[0])

    def _refused(self, generator: random.Random) -> str:
        # A new name each time, so that a cache of names would grow.
        return self._post(generator, "/predict", {"features": {f"name_{generator.randrange(10**9)}": 1}})

    def _unknown_path(self, generator: random.Random) -> str:
        return self._post(generator, f"/name_{generator.randrange(10**9)}", {})

    def _bytes_behind(self, generator: random.Random) -> str:
        body = self._random_body(generator)
        lines = ("POST /predict HTTP/1.1", "Host: localhost", "Content-Type: application/json", "Content-Length: ")
        head = "\r\n".join(lines) + str(len(body))
        with self._open_socket(generator) as connection:
            connection.sendall(head.encode() + b"\r\n\r\n" + body + generator.randbytes(100) + b"\r\n\r\n")
            return connection.recv(65_536)[9:12].decode("ascii", "replace")

    def _cut_off(self, generator: random.Random) -> str:
        with self._open_socket(generator) as connection:
            connection.sendall(b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 500\r\n\r\n{")
            time.sleep(generator.random() / 50)
        return "closed"

    def _rubbish(self, generator: random.Random) -> str:
        with self._open_socket(generator) as connection:
            connection.sendall(generator.randbytes(200) + b"\r\n\r\n")
            return "refused" if connection.recv(65_536).startswith(b"HTTP/1.1 400") else "closed"

    def _open_half(self, half_open: list[socket.socket], generator: random.Random) -> None:
        """Leave a connection open that sent nothing, half of the headers or half of a body."""
        connection = self._open_socket(generator)
        connection.sendall(generator.choice((b"", b"POST /predict HTTP/1.1\r\nHo", b"POST /predict HTTP/1.1\r\n")))
        half_open.append(connection)
        while len(half_open) > _N_HALF_OPEN:
            half_open.pop(0).close()
        self.counts["half open"] += 1
