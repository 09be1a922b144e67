"""Measure whether memory, descriptors, threads and files of servers stay flat under mixed load.

    python benchmarks/soak.py                 # ten minutes, two servers on one SQLite file
    python benchmarks/soak.py --seconds 3600  # an hour, before a release

Clients send single rows, batches (JSON, CSV, tensors), repeats with an idempotency key, rows that opt out, outcomes,
explanations, what-ifs, status and metrics requests, requests for an upgrade, refused bodies, requests with bytes behind
them, cut-off requests, rubbish, and connections that send half a request and wait. Every few seconds the deployment
goes to another version. The first fifth of the time is warm-up. `growth.py` decides; a slope below its limit is flat.
The database grows with its rows, so it is measured in bytes for each of them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark_setup import MODELS, PackagedModel, promote_package, train_package
from growth import measure_growth
from mixed_traffic import MixedTraffic
from serving_load import ROOT, RequestBodies, free_port, make_project, running_server

if TYPE_CHECKING:
    from growth import Growth

    from pipeline.state import State

_N_CLIENTS = 4
_SAMPLE_S = 2.0
_SWITCH_S = 10.0
_WARM_UP = 0.2
# Of the database: shorter periods have too few rows for a ratio.
_RATIO_SAMPLES = 5


@dataclass(frozen=True, slots=True)
class Quantity:
    """What is measured, and the growth in an hour that still counts as flat."""

    name: str
    unit: str
    limit_per_hour: float


OF_SERVER = (Quantity("memory (PSS)", "MB", 10.0), Quantity("descriptors", "", 2.0), Quantity("threads", "", 1.0))
OF_PROJECT = (Quantity("files", "", 2.0), Quantity("write-ahead log", "MB", 20.0))
OF_ROWS = Quantity("database per logged row", "bytes", 50.0)


@dataclass(frozen=True, slots=True)
class Sample:
    """The values at one moment: those of each server, of the project's folder, size of the database and its rows."""

    at: float
    servers: tuple[tuple[float, ...], ...]
    project: tuple[float, ...]
    database_bytes: int
    n_logged: int


def measure_server(pid: int) -> tuple[float, ...]:
    """Return the value of each of `OF_SERVER`; shared pages count once over all processes."""
    process = Path(f"/proc/{pid}")
    rollup = dict(line.split(":", 1) for line in (process / "smaps_rollup").read_text().splitlines()[1:])
    n_threads = len(list((process / "task").iterdir()))
    return int(rollup["Pss"].split()[0]) / 1024, len(list((process / "fd").iterdir())), n_threads


def measure_project(home: Path) -> tuple[float, ...]:
    """Return the value of each of `OF_PROJECT`."""
    wal = home / "state/state.db-wal"
    return sum(1 for path in home.rglob("*") if path.is_file()), (wal.stat().st_size if wal.exists() else 0) / 1e6


def n_logged_rows(state: State) -> int:
    """Return the number of rows that were ever logged."""
    with state.reading() as connection:
        return int(connection.exec_driver_sql("SELECT value FROM counters WHERE name = 'predictions'").scalar_one())


def run_soak(pids: list[int], home: Path, traffic: MixedTraffic, *, model: str, seconds: float) -> list[Sample]:
    """Send the load, switch versions and return the samples."""
    from pipeline import state as store
    from pipeline.registry import stage_transitions

    state = store.open_state(home)
    clients = [threading.Thread(target=traffic.run_client, args=(seed,)) for seed in range(_N_CLIENTS)]
    for client in clients:
        client.start()
    samples: list[Sample] = []
    started, n_switches = time.monotonic(), 0
    try:
        while (elapsed := time.monotonic() - started) < seconds:
            time.sleep(_SAMPLE_S)
            if elapsed > (n_switches + 1) * _SWITCH_S:
                n_switches += 1
                version = 1 + n_switches % 2
                stage_transitions.promote_version(state, model, version, stage="Production", force=True, reason="soak")
            servers, size = tuple(map(measure_server, pids)), (home / "state/state.db").stat().st_size
            samples.append(Sample(elapsed, servers, measure_project(home), size, n_logged_rows(state)))
    finally:
        traffic.stop_event.set()
        for client in clients:
            client.join()
        state.close()
    print(
        f"{seconds:.0f} s, {sum(traffic.counts.values()):,} requests, {samples[-1].n_logged:,} logged rows,"
        f" {n_switches} changes of version, {len(pids)} servers",
        flush=True,
    )
    return samples


def series_of(samples: list[Sample]) -> dict[str, tuple[Quantity, list[tuple[float, float]]]]:
    """Return the values over time by the name of their line."""
    series = {}
    for server in range(len(samples[0].servers)):
        for at, quantity in enumerate(OF_SERVER):
            values = [(sample.at, sample.servers[server][at]) for sample in samples]
            series[f"server {server + 1}: {quantity.name}"] = (quantity, values)
    for at, quantity in enumerate(OF_PROJECT):
        series[quantity.name] = (quantity, [(sample.at, sample.project[at]) for sample in samples])
    ratios = [
        (later.at, (later.database_bytes - sample.database_bytes) / max(later.n_logged - sample.n_logged, 1))
        for sample, later in zip(samples[::_RATIO_SAMPLES], samples[_RATIO_SAMPLES::_RATIO_SAMPLES], strict=False)
    ]
    return {**series, OF_ROWS.name: (OF_ROWS, ratios)}


def print_table(samples: list[Sample], seconds: float) -> bool:
    """Print one line for each quantity and return whether none grows."""
    steady = [sample for sample in samples if sample.at >= seconds * _WARM_UP]
    print("slope in an hour with its 95 % interval: after the warm-up, and of the later half")
    print(f"{'quantity':34}{'first':>9}{'last':>9}{'slope':>28}{'later half':>28}{'limit':>7}  verdict")
    verdicts = []
    for name, (quantity, values) in series_of(steady).items():
        growth = measure_growth(values, limit_per_hour=quantity.limit_per_hour)
        verdicts.append(growth.verdict)
        print(f"{name + (f', {quantity.unit}' if quantity.unit else ''):34}{growth_line(growth, quantity)}")
    return "grows" not in verdicts


def growth_line(growth: Growth, quantity: Quantity) -> str:
    """Return the columns of a line behind its name."""
    whole, later = (
        f"{trend.slope:.2f} ({trend.low:.2f} to {trend.high:.2f})" for trend in (growth.whole, growth.later_half)
    )
    return (
        f"{growth.first:>9,.1f}{growth.last:>9,.1f}{whole:>28}{later:>28}{quantity.limit_per_hour:>7,.0f}"
        f"  {growth.verdict}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=600, help="duration of the load")
    parser.add_argument("--servers", type=int, default=2, help="number of server processes")
    args = parser.parse_args()
    sys.path.remove(str(Path(__file__).parent))  # a script in this folder has the name of a library
    with tempfile.TemporaryDirectory() as name, ExitStack() as servers:
        home = Path(name) / "home"
        model, rows = make_project(home, MODELS["logistic regression"])
        add_second_version(home, model)
        (home / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
        ports, pids = [free_port() for _ in range(args.servers)], []
        for port in ports:
            command = [sys.executable, "-m", "pipeline.serving", "--state", str(home), "--port", str(port)]
            log_folder = Path(name) / f"server_{port}"
            log_folder.mkdir()
            start = partial(running_server, command, port, log_folder)
            pids.append(servers.enter_context(start(RequestBodies("/predict", [MixedTraffic.row_body(rows[0])])))[0])
        traffic = MixedTraffic(ports, rows, model)
        samples = run_soak(pids, home, traffic, model=model, seconds=args.seconds)
        for kind, count in sorted(traffic.counts.items()):
            print(f"  {kind:28}{count:>10,}")
        is_flat = print_table(samples, args.seconds)
    unexpected = [kind for kind in traffic.counts if kind.split()[-1] in {"500", "501", "502", "504"}]
    sys.exit(1 if unexpected or not is_flat else 0)


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
