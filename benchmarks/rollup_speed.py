"""Measure how fast roll-ups count rows, and how long a window of 30 days takes for several numbers of rows.

Each number of rows is written to a state database of its own and counted once; then the monitor's functions evaluate
the windows in turn, in time of the processor. `--server` loads a server by `wrk`, now alone, now
while another process counts its predictions.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmark_setup import DAY_US, MODELS, PackagedModel, log_rows, make_package
from serving_load import RequestBodies, free_port, make_project, run_load, running_server

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from pipeline.config.config_loader import load_params  # noqa: E402 - needs the path above
from pipeline.monitoring.drift.detection import DriftContext, detect_drift  # noqa: E402 - needs the path above
from pipeline.monitoring.log.hourly_traffic import traffic_summary  # noqa: E402 - needs the path above
from pipeline.monitoring.log.log_window import (  # noqa: E402 - needs the path above
    PredictionLog,
    Window,
    WindowTallies,
    window_by_time,
)
from pipeline.monitoring.log.rollup_layout import RollupLayout  # noqa: E402 - needs the path above
from pipeline.monitoring.log.rollup_updates import roll_up  # noqa: E402 - needs the path above
from pipeline.monitoring.performance.estimation import IntervalOptions  # noqa: E402 - needs the path above
from pipeline.monitoring.performance.performance_report import evaluate_window  # noqa: E402 - needs the path above
from pipeline.package import PackageStore  # noqa: E402 - needs the path above
from pipeline.state import State, open_state  # noqa: E402 - needs the path above

DAYS = 30
NOW = 1_770_000_000_000_000
ROUNDS = 9
NICE = 10  # as stages.monitor
PARAMS = ROOT / "params.yaml"


@dataclass(frozen=True, slots=True)
class RolledUpLog:
    """A log that was counted, and the window of all of it."""

    state: State
    model: PackagedModel
    window: Window
    rows_per_s: dict[str, float]

    def drift(self) -> None:
        layout, config = RollupLayout(self.model.package), load_params(PARAMS)
        counts = self.tallies().bin_counts(self.model.package)
        detect_drift(layout.reference, counts, DriftContext(config.drift, config.monitoring.min_rows))

    def performance(self) -> None:
        monitoring = load_params(PARAMS).monitoring
        intervals = IntervalOptions(monitoring.confidence_level, monitoring.bootstrap_samples, seed=0)
        evaluate_window(self.tallies(), self.model.package, intervals=intervals)

    def dashboard(self) -> None:
        traffic_summary(self.tallies())

    def tallies(self) -> WindowTallies:
        """Return the tallies of the window, none of them read yet."""
        return WindowTallies(PredictionLog(self.state, self.model.name, lambda _: self.model.package), self.window)


def write_and_roll_up(folder: Path, model: PackagedModel, n: int) -> RolledUpLog:
    """Write a log and count it."""
    state = open_state(folder)
    log_rows(state, model, n, until=NOW, days=DAYS)
    clock, started = time.perf_counter(), time.process_time()
    if roll_up(state, model.name, lambda _: model.package) != n:
        sys.exit("roll-ups did not count every row")
    rates = {"of CPU": n / (time.process_time() - started), "by the clock": n / (time.perf_counter() - clock)}
    rates_by_name = {f"counted, rows/s {how}": rate for how, rate in rates.items()}
    log = PredictionLog(state, model.name, lambda _: model.package)
    return RolledUpLog(state, model, window_by_time(log, since=NOW - DAYS * DAY_US, until=NOW + 1), rates_by_name)


def time_windows(logs: dict[int, RolledUpLog]) -> dict[int, dict[str, float]]:
    """Return milliseconds by number of rows; logs take turns, so that a slow moment of the machine affects them all."""
    load_params(PARAMS)
    spent: dict[int, dict[str, list[float]]] = {n: {} for n in logs}
    for _ in range(ROUNDS + 1):
        for n, log in logs.items():
            for task in (log.drift, log.performance, log.dashboard):
                started = time.process_time()
                task()
                spent[n].setdefault(f"{task.__name__}, ms", []).append(1000 * (time.process_time() - started))
    return {n: {what: median(times[1:]) for what, times in tasks.items()} for n, tasks in spent.items()}


def measure_serving_overhead(seconds: int, rounds: int) -> None:
    """Print a server's responses per second, alone and while a process counts them as they come."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _, rows = make_project(folder, MODELS["logistic regression"])
        (folder / "params.yaml").write_text(PARAMS.read_text(encoding="utf-8"), encoding="utf-8")
        bodies = RequestBodies("/predict", [json.dumps({"features": row}).encode() for row in rows[:500]])
        port, rates = free_port(), {"alone": [], "counted": []}
        command = [sys.executable, "-m", "pipeline.serving", "--state", name, "--port", str(port)]
        with running_server(command, port, folder, bodies):
            for _ in range(rounds):
                rates["alone"].append(run_load(port, bodies, 16, seconds, folder).rate)
                counting = subprocess.Popen([sys.executable, __file__, "--count", name])
                time.sleep(2)  # until it has started
                rates["counted"].append(run_load(port, bodies, 16, seconds, folder).rate)
                counting.terminate()
                counting.wait()
        alone, counted_ = (median(samples) for samples in rates.values())
        for what, samples in rates.items():
            print(f"  {what:22} {', '.join(f'{rate:,.0f}' for rate in samples)} responses/s")
        print_target("responses/s while roll-ups run, less", 1 - counted_ / alone, "<=", 0.05)


def roll_up_continuously(folder: Path) -> None:
    """Count what is logged in a project once a second, until this process is ended."""
    os.nice(NICE)
    state, store = open_state(folder), PackageStore(folder / "state/packages")
    model, load = load_params(PARAMS).name, functools.cache(store.load)
    while True:
        roll_up(state, model, load)
        time.sleep(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000], help="rows of the log")
    parser.add_argument("--server", type=int, metavar="SECONDS", help="load a server so long, eight times; needs wrk")
    parser.add_argument("--count", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.count:
        roll_up_continuously(arguments.count)
    if arguments.server:
        measure_serving_overhead(arguments.server, 4)
        return
    with tempfile.TemporaryDirectory() as name:
        made = make_package(Path(name))
        logs = {n: write_and_roll_up(Path(name) / f"of_{n}", made, n) for n in arguments.rows}
        medians = time_windows(logs)
        for n, milliseconds in medians.items():
            print(f"{n:,} rows over {DAYS} days")
            for what, value in {**logs[n].rows_per_s, **milliseconds}.items():
                print(f"  {what:26} {value:12,.1f}")
            logs[n].state.close()
    for what, rate in logs[max(logs)].rows_per_s.items():
        print_target(what, rate, ">=", 200_000.0)
    for what, most in medians[max(medians)].items():
        print_target(what, most, "<=", 50.0)
        print_target(f"{what}, beside the least", most / medians[min(medians)][what], "<=", 1.2)


def print_target(what: str, value: float, side: str, target: float) -> None:
    """Print a measurement and its target, met or missed."""
    is_met = value >= target if side == ">=" else value <= target
    print(f"{what:36} {value:12,.2f}  target {side} {target:,.2f}  {'met' if is_met else 'MISSED'}")


if __name__ == "__main__":
    main()
