"""Measure the processor time of a request with traces off, on, and on for more requests, in turns in one run.

The server's own processor time is read from the kernel before and after each turn of requests over 16 connections.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.benchmark_setup import make_package
from tests.fixtures.server_process import ROW, RunningServer, make_project, run_server
from tests.pipeline.tracing.otlp_collector import run_collector

SAMPLING_RATES = {
    "off": None,
    "on, as declared (1 of 100)": "0.01",
    "on, 1 of 10": "0.1",
    "on, every request": "1",
}
_BODY = json.dumps({"features": ROW}).encode()
_HEAD = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
_REQUEST = _HEAD % len(_BODY) + _BODY


def cpu_seconds(pid: int) -> float:
    """Return the processor's time of the threads of a process, in seconds; the kernel counts nanoseconds."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text(encoding="ascii").split()[0]) for thread in threads) / 1e9


async def send_requests(port: int, n: int, n_connections: int = 16) -> None:
    """Send `n` requests, each connection one after the other."""

    async def send_over_connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(n // n_connections):
            writer.write(_REQUEST)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
            await reader.readexactly(int(length.split(b":")[1]))
        writer.close()

    await asyncio.gather(*[send_over_connection() for _ in range(n_connections)])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=4000, help="in each turn")
    parser.add_argument("--turns", type=int, default=7)
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        root = Path(folder)
        make_package(root / "made")
        collector = stack.enter_context(run_collector(root / "spans"))
        servers: dict[str, RunningServer] = {}
        for at, (name, share) in enumerate(SAMPLING_RATES.items()):
            make_project(root / str(at), [root / "made/candidate"])
            variables: dict[str, Any] = {}
            if share is not None:
                variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.address, "OTEL_TRACES_SAMPLER_ARG": share}
                variables["OTEL_TRACES_SAMPLER"] = "parentbased_traceidratio"
            servers[name] = stack.enter_context(run_server(root / str(at), **variables))
        cpu_us: dict[str, list[float]] = {name: [] for name in SAMPLING_RATES}
        for turn in range(words.turns + 1):
            for name, server in list(servers.items())[:: 1 if turn % 2 else -1]:
                before = cpu_seconds(server.process.pid)
                asyncio.run(send_requests(server.port, words.requests))
                if turn:  # the first warms up
                    cpu_us[name].append((cpu_seconds(server.process.pid) - before) / words.requests * 1e6)
        _print_overhead(cpu_us)


def _print_overhead(cpu_us: dict[str, list[float]]) -> None:
    off = cpu_us["off"]
    print(f"{'':28} {'us of the processor':>20} {'more than off, turn by turn':>30}")
    for name, times in cpu_us.items():
        overheads = [time / base - 1 for time, base in zip(times, off, strict=True)]
        print(f"{name:28} {statistics.median(times):20.1f} {statistics.median(overheads):29.1%}")


if __name__ == "__main__":
    main()
