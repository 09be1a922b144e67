"""A small TCP proxy in front of several servers: new connections go to the ready servers in turn."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field

_PROBE_INTERVAL_S = 0.05


@dataclass
class LoadBalancer:
    """Acts as a Service with readiness probes: a server that is not ready gets no new connection."""

    ports: list[int]
    ready_ports: set[int] = field(default_factory=set)
    generations: dict[int, int] = field(default_factory=dict)
    _next_index: int = 0

    async def start(self) -> int:
        """Listen on loopback and return the port."""
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self._prober = asyncio.create_task(self._probe_periodically())
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        self._prober.cancel()
        self._server.close()

    async def wait_for_ready(self, n_ready: int, timeout_s: float) -> None:
        """Wait until `n` servers are ready."""
        async with asyncio.timeout(timeout_s):
            while len(self.ready_ports) < n_ready:
                await asyncio.sleep(_PROBE_INTERVAL_S)

    async def _probe_periodically(self) -> None:
        while True:
            for port in list(self.ports):
                status, _ = await send_request(port, "GET", "/readyz")
                (self.ready_ports.add if status == 200 else self.ready_ports.discard)(port)
            await asyncio.sleep(_PROBE_INTERVAL_S)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(50):
            ready = sorted(self.ready_ports)
            self._next_index += 1
            with contextlib.suppress(OSError, IndexError, ZeroDivisionError):
                back_reader, back_writer = await asyncio.open_connection(
                    "127.0.0.1", ready[self._next_index % len(ready)]
                )
                break
            await asyncio.sleep(_PROBE_INTERVAL_S)
        else:
            writer.close()
            return
        await asyncio.gather(_copy_stream(reader, back_writer), _copy_stream(back_reader, writer))


async def send_request(port: int, method: str, path: str, body: bytes = b"") -> tuple[int, dict[str, object]]:
    """Send a request on a new connection; return the status and body, or 0 without a response."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        raw = await asyncio.wait_for(reader.read(), 15)
        writer.close()
        head_bytes, _, response_body = raw.partition(b"\r\n\r\n")
        return int(head_bytes[9:12]), json.loads(response_body) if response_body else {}
    except (OSError, ValueError, TimeoutError):
        return 0, {}


async def _copy_stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.close()
