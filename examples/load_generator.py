"""Send rows to a server over many connections and print responses per second and latencies.

python examples/load_generator.py --url http://localhost:5000 --connections 16 --seconds 5
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import time
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import uvloop


@dataclass
class LoadStats:
    durations_s: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)


class LoadClient(asyncio.Protocol):
    """One connection: sends the next request when the last response is complete."""

    def __init__(self, request: bytes, stats: LoadStats) -> None:
        self._request = request
        self._stats = stats
        self._buffer = b""
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.is_stopped = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._sent_s = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        self._stats.durations_s.append(time.perf_counter() - self._sent_s)
        self._stats.statuses[int(head[9:12])] += 1
        self._buffer = b""
        if self.is_stopped:
            self._transport.close()
        else:
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)


async def run_load(url: str, path: str, body: bytes, *, n_connections: int, duration_s: float) -> LoadStats:
    parts = urlsplit(url)
    key = os.environ.get("MLOPS_API_KEY")
    credential = f"Authorization: Bearer {key}\r\n" if key else ""
    request = (
        f"POST {parts.path.rstrip('/')}{path} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        f"Content-Type: application/json\r\n{credential}Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    tally = LoadStats()
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: LoadClient(request, tally), parts.hostname, parts.port or 80)
        for _ in range(n_connections)
    ]
    await asyncio.sleep(duration_s)
    for _, client in made:
        client.is_stopped = True
    await asyncio.wait([client.closed for _, client in made], timeout=10)
    return tally


def example_row(url: str) -> dict[str, object]:
    """Return a typical row, as the server's own description has it."""
    request = urllib.request.Request(f"{url.rstrip('/')}/openapi.json")
    if key := os.environ.get("MLOPS_API_KEY"):
        request.add_header("Authorization", f"Bearer {key}")
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            described = json.load(response)
    except urllib.error.HTTPError as error:
        raise SystemExit(f"{url}: {error.code} {error.reason}; set MLOPS_API_KEY to a key of the server") from error
    except OSError as error:
        raise SystemExit(f"{url}: no server responds ({error}); start one with `mlops serve`") from error
    features = described["components"]["schemas"]["Features"]
    if "examples" not in features:
        raise SystemExit(f"{url}: has no example of a row, because it serves no model; run `mlops models list`")
    example: dict[str, object] = features["examples"][0]
    return example


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://localhost:5000")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rows", type=int, default=1, help="rows of one request")
    words = parser.parse_args()
    row = example_row(words.url)
    body = {"features": row} if words.rows == 1 else {"instances": [row] * words.rows}
    path = "/predict" if words.rows == 1 else "/predict/batch"
    sending = run_load(
        words.url, path, json.dumps(body).encode(), n_connections=words.connections, duration_s=words.seconds
    )
    tally = uvloop.run(sending)
    if len(tally.durations_s) < 2:
        raise SystemExit(f"{words.url}: sent fewer than 2 responses in {words.seconds:g} s; use a larger --seconds")
    shares = statistics.quantiles(tally.durations_s, n=100)
    n = len(tally.durations_s)
    print(f"{n / words.seconds:,.0f} requests/s, {n * words.rows / words.seconds:,.0f} rows/s")
    longest_ms = max(tally.durations_s) * 1000
    print(f"p50 {shares[49] * 1000:.2f} ms, p99 {shares[98] * 1000:.2f} ms, longest {longest_ms:.1f} ms")
    print("responses by status: " + ", ".join(f"{status}: {count}" for status, count in sorted(tally.statuses.items())))


if __name__ == "__main__":
    main()
