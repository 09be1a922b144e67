"""Measure whether memory, descriptors, threads and files of the server stay flat under mixed load.

    python benchmarks/soak.py                 # ten minutes
    python benchmarks/soak.py --seconds 3600  # an hour, before a release

Clients send single rows, batches (JSON and CSV), outcomes, explanations, what-ifs, status and metrics requests, refused
bodies, cut-off requests and rubbish. Every few seconds the deployment goes to another version. The first fifth of the
time is warm-up. The slope is the median of all pairwise slopes (Theil-Sen), printed for an hour; a line is flat if its
slope is within the limit. The database grows with its rows, so it is measured in bytes for each of them.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark_setup import MODELS, PackagedModel, promote_package, train_package
from serving_load import ROOT, RequestBodies, free_port, make_project, running_server

if TYPE_CHECKING:
    from collections.abc import Callable

_BATCH_ROWS = 100
_PAUSE_S = 0.005
_N_CLIENTS = 4
_SAMPLE_S = 2.0
_SWITCH_S = 10.0
_WARM_UP = 0.2
Sample = tuple[float, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class Quantity:
    """What is measured, and the growth in an hour that still counts as flat."""

    name: str
    unit: str
    limit_per_hour: float


QUANTITIES = (
    Quantity("resident memory", "MB", 10.0),
    Quantity("descriptors", "", 2.0),
    Quantity("threads", "", 1.0),
    Quantity("files", "", 2.0),
    Quantity("write-ahead log", "MB", 20.0),
    Quantity("database per logged row", "bytes", 50.0),
)


@dataclass(slots=True)
class Traffic:
    """The requests that clients choose from, and the count of each response."""

    port: int
    rows: list[dict[str, Any]]
    counts: Counter[str] = field(default_factory=Counter)
    prediction_ids: list[str] = field(default_factory=list)
    stop_event: threading.Event = field(default_factory=threading.Event)

    def run_client(self, seed: int) -> None:
        """Send requests of all kinds in random order until the end."""
        generator = random.Random(seed)
        kinds: tuple[Callable[[random.Random], str], ...] = (
            self._predict, self._predict, self._predict, self._batch_json, self._batch_csv, self._feedback,
            self._explain, self._read, self._refused, self._cut_off, self._rubbish,
        )  # fmt: skip
        while not self.stop_event.wait(_PAUSE_S):
            send = generator.choice(kinds)
            self.counts[f"{send.__name__.strip('_')} {send(generator)}"] += 1

    def _request(self, method: str, path: str, body: bytes | None = None, media_type: str = "application/json") -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, {"Content-Type": media_type} if body is not None else {})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def _features(self, generator: random.Random) -> dict[str, Any]:
        return {"features": generator.choice(self.rows)}

    def _predict(self, generator: random.Random) -> str:
        status, body = self._request("POST", "/predict", json.dumps(self._features(generator)).encode())
        if status == 200:
            self.prediction_ids = [*self.prediction_ids[-99:], json.loads(body)["prediction_id"]]
        return str(status)

    def _batch_json(self, generator: random.Random) -> str:
        body = {"instances": generator.choices(self.rows, k=_BATCH_ROWS)}
        return str(self._request("POST", "/predict/batch", json.dumps(body).encode())[0])

    def _batch_csv(self, generator: random.Random) -> str:
        lines = [",".join(self.rows[0])]
        lines += [",".join(map(str, row.values())) for row in generator.choices(self.rows, k=_BATCH_ROWS)]
        return str(self._request("POST", "/predict/batch", "\n".join(lines).encode(), "text/csv")[0])

    def _feedback(self, generator: random.Random) -> str:
        if not self.prediction_ids:
            return "skipped"
        outcomes = [{"prediction_id": generator.choice(self.prediction_ids), "outcome": "Introvert"}]
        return str(self._request("POST", "/feedback", json.dumps({"outcomes": outcomes}).encode())[0])

    def _explain(self, generator: random.Random) -> str:
        path = generator.choice(("/v1/explain", "/v1/what-if"))
        return str(self._request("POST", path, json.dumps(self._features(generator)).encode())[0])

    def _read(self, generator: random.Random) -> str:
        path = generator.choice(("/v1/status", "/metrics", "/v1/models", "/openapi.json", "/readyz", "/livez"))
        return str(self._request("GET", path)[0])

    def _refused(self, generator: random.Random) -> str:
        key = f"name_{generator.randrange(10**9)}"  # a new name each time, so that a cache of names would grow
        path = generator.choice(("/predict", f"/{key}"))
        return str(self._request("POST", path, json.dumps({"features": {key: 1}}).encode())[0])

    def _cut_off(self, generator: random.Random) -> str:
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall(b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 500\r\n\r\n{")
            time.sleep(generator.random() / 50)
        return "closed"

    def _rubbish(self, generator: random.Random) -> str:
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall(generator.randbytes(200) + b"\r\n\r\n")
            return "refused" if connection.recv(65_536).startswith(b"HTTP/1.1 400") else "closed"


def measure(pid: int, home: Path) -> tuple[float, ...]:
    """Return the value of each of `QUANTITIES`; the last one as bytes of the database."""
    process, database = Path(f"/proc/{pid}"), home / "state/state.db"
    status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    wal = database.with_name("state.db-wal")
    return (
        int(status["VmRSS"].split()[0]) / 1024,
        len(list((process / "fd").iterdir())),
        int(status["Threads"]),
        sum(1 for path in home.rglob("*") if path.is_file()),
        (wal.stat().st_size if wal.exists() else 0) / 1e6,
        database.stat().st_size,
    )


def slope_per_hour(samples: list[tuple[float, float]]) -> float:
    """Return the median of all pairwise slopes of (seconds, value), for an hour."""
    slopes = [
        (later - value) / (later_at - at)
        for i, (at, value) in enumerate(samples)
        for later_at, later in samples[i + 1 :]
    ]
    return 3600 * sorted(slopes)[len(slopes) // 2]


def run_soak(pid: int, home: Path, traffic: Traffic, *, model: str, seconds: float) -> list[Sample]:
    """Send the load, switch versions and return the samples with their time."""
    from pipeline import state as store
    from pipeline.registry import stage_transitions

    state = store.open_state(home)
    clients = [threading.Thread(target=traffic.run_client, args=(seed,)) for seed in range(_N_CLIENTS)]
    for client in clients:
        client.start()
    samples, started, n_switches = [], time.monotonic(), 0
    try:
        while (elapsed := time.monotonic() - started) < seconds:
            time.sleep(_SAMPLE_S)
            if elapsed > (n_switches + 1) * _SWITCH_S:
                n_switches += 1
                version = 1 + n_switches % 2
                stage_transitions.promote_version(state, model, version, stage="Production", force=True, reason="soak")
            samples.append((elapsed, measure(pid, home)))
    finally:
        traffic.stop_event.set()
        for client in clients:
            client.join()
        state.close()
    print(f"{seconds:.0f} s, {sum(traffic.counts.values()):,} requests, {n_switches} changes of version", flush=True)
    return samples


def logged_rows(home: Path) -> int:
    """Return the number of rows in the prediction log."""
    from sqlalchemy import text

    from pipeline import state as store

    state = store.open_state(home)
    with state.reading() as connection:
        count = int(connection.execute(text("select count(*) from predictions")).scalar_one())
    state.close()
    return count


def print_table(samples: list[Sample], rows_per_s: float, seconds: float) -> bool:
    """Print one line for each quantity and return whether all are flat."""
    steady = [sample for sample in samples if sample[0] >= seconds * _WARM_UP]
    all_flat = True
    print(f"{'quantity':26}{'first':>10}{'last':>10}{'per hour':>12}{'limit':>10}")
    for i, quantity in enumerate(QUANTITIES):
        values = [(at, measured[i]) for at, measured in steady]
        if quantity.unit == "bytes":
            # The size of the database for each row that was logged until then, without the rows of the warm-up.
            values = [(at, (size - values[0][1]) / (rows_per_s * (at - values[0][0]))) for at, size in values[1:]]
            values = values[len(values) // 4 :]
        slope = slope_per_hour(values)
        is_flat = slope <= quantity.limit_per_hour
        all_flat = all_flat and is_flat
        print(
            f"{quantity.name + (f', {quantity.unit}' if quantity.unit else ''):26}{values[0][1]:>10,.1f}"
            f"{values[-1][1]:>10,.1f}{slope:>12,.2f}{quantity.limit_per_hour:>10,.0f}{'' if is_flat else '  GROWS'}"
        )
    return all_flat


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=600, help="duration of the load")
    args = parser.parse_args()
    sys.path.remove(str(Path(__file__).parent))  # a script in this folder has the name of a library
    with tempfile.TemporaryDirectory() as name:
        home = Path(name) / "home"
        model, rows = make_project(home, MODELS["logistic regression"])
        add_second_version(home, model)
        (home / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
        port = free_port()
        command = [sys.executable, "-m", "pipeline.serving", "--state", str(home), "--port", str(port)]
        first = RequestBodies("/predict", [json.dumps({"features": rows[0]}).encode()])
        with running_server(command, port, home, first) as (pid, _):
            traffic, n_before = Traffic(port, rows), logged_rows(home)
            samples = run_soak(pid, home, traffic, model=model, seconds=args.seconds)
            rows_per_s = (logged_rows(home) - n_before) / args.seconds
        for kind, count in sorted(traffic.counts.items()):
            print(f"  {kind:24}{count:>10,}")
        all_flat = print_table(samples, rows_per_s, args.seconds)
    unexpected = [kind for kind in traffic.counts if kind.split()[-1] in {"500", "501", "502", "504"}]
    sys.exit(1 if unexpected or not all_flat else 0)


def add_second_version(home: Path, model: str) -> None:
    """Register another model as version 2."""
    from pipeline.package import PackageStore
    from pipeline.state import open_state

    trained = train_package(home / "second", MODELS["boosting"])
    package = PackageStore(home / "state/packages").add(home / "second")
    state = open_state(home)
    promote_package(state, PackagedModel(model, package, trained.train), home)
    state.close()


if __name__ == "__main__":
    main()
