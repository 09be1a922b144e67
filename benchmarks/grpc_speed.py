"""Measure HTTP beside a server of gRPC in the same process, and gRPC itself, in turns with a bare loop in one run.

Latencies are of one connection with one request after the other; rates are of 16 that send at the same time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import grpc

from benchmarks.benchmark_setup import make_package
from pipeline.serving.grpc_inference.protocol_messages import SERVICE, message_class
from tests.fixtures.server_process import MODEL_NAME, ROW, make_project, run_server

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

_N_CONNECTIONS = 16
_BODY = json.dumps({"features": ROW}).encode()
_START_LINE = b"POST /predict?log=false HTTP/1.1\r\nHost: localhost\r\n"
_HEAD = _START_LINE + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
_REQUEST = _HEAD % len(_BODY) + _BODY
# Responds to each request with the same bytes: what the loop and the sockets take.
_BARE_LOOP = """
import asyncio, uvloop
class Echo(asyncio.Protocol):
    def connection_made(self, transport): self.transport = transport
    def data_received(self, data):
        self.transport.write(b"HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\n\\r\\n{}")
async def main():
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
uvloop.run(main())
"""


@contextmanager
def bare_loop() -> Iterator[int]:
    """Yield the port of the bare loop."""
    process = subprocess.Popen([sys.executable, "-c", _BARE_LOOP], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait()


async def http_times(port: int, n: int) -> list[float]:
    """Return the seconds of `n` requests over one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    times = []
    for _ in range(n):
        started = time.perf_counter()
        writer.write(_REQUEST)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
        await reader.readexactly(int(length.split(b":")[1]))
        times.append(time.perf_counter() - started)
    writer.close()
    return times


async def grpc_times(address: str, n: int) -> list[float]:
    """Return the seconds of `n` calls over one channel."""
    request: Any = message_class("ModelInferRequest")(model_name=MODEL_NAME)
    for name, value in ROW.items():
        tensor = request.inputs.add(name=name, datatype="BYTES" if isinstance(value, str) else "INT64", shape=[1])
        contents, sent = tensor.contents, value.encode() if isinstance(value, str) else value
        (contents.bytes_contents if isinstance(sent, bytes) else contents.int64_contents).append(sent)
    data = request.SerializeToString()
    times = []
    async with grpc.aio.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        infer = channel.unary_unary(f"/{SERVICE}/ModelInfer")
        for _ in range(n):
            started = time.perf_counter()
            await infer(data, metadata=(("log", "false"),))
            times.append(time.perf_counter() - started)
    return times


async def rate(send: Callable[[int], Awaitable[Any]], n: int) -> float:
    """Return the requests in a second over all connections."""
    started = time.perf_counter()
    await asyncio.gather(*[send(n // _N_CONNECTIONS) for _ in range(_N_CONNECTIONS)])
    return n / (time.perf_counter() - started)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=2000, help="in each turn")
    parser.add_argument("--turns", type=int, default=7)
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        root = Path(folder)
        make_package(root / "made")
        for name in ("alone", "both"):
            make_project(root / name, [root / "made/candidate"])
        bare = stack.enter_context(bare_loop())
        alone = stack.enter_context(run_server(root / "alone"))
        both = stack.enter_context(run_server(root / "both", "--grpc-port", "0"))
        senders: dict[str, Callable[[int], Awaitable[list[float]]]] = {
            "bare loop": lambda n: http_times(bare, n),
            "HTTP, no gRPC": lambda n: http_times(alone.port, n),
            "HTTP beside gRPC": lambda n: http_times(both.port, n),
            "gRPC": lambda n: grpc_times(both.grpc_address, n),
        }
        asyncio.run(_measure(senders, n_requests=words.requests, n_turns=words.turns))


async def _measure(
    senders: dict[str, Callable[[int], Awaitable[list[float]]]], *, n_requests: int, n_turns: int
) -> None:
    times: dict[str, list[float]] = {name: [] for name in senders}
    rates: dict[str, list[float]] = {name: [] for name in senders}
    for turn in range(n_turns + 1):
        for name, send in list(senders.items())[:: 1 if turn % 2 else -1]:
            measured, per_s = await send(n_requests), await rate(send, n_requests)
            if turn:  # the first warms up
                times[name] += measured
                rates[name].append(per_s)
    print(f"{'':18} {'median ms':>10} {'p99 ms':>8} {'requests/s of 16':>18}")
    for name, measured in times.items():
        median_ms, p99_ms = statistics.median(measured) * 1e3, statistics.quantiles(measured, n=100)[98] * 1e3
        print(f"{name:18} {median_ms:10.3f} {p99_ms:8.3f} {statistics.median(rates[name]):18,.0f}")


if __name__ == "__main__":
    main()
