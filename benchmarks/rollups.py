"""How fast are roll-ups kept, and how long does a window of 30 days take, whatever the number of rows in it?

Each number of rows is written to a state database of its own and counted once; then the windows of all of them are
judged in turn as the monitor does, in time of the processor. `--server` loads a server by `wrk`, now alone, now
while another process counts what it answers.
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

from making import DAY_US, MODELS, Made, log_rows, make_package
from serving import Bodies, free_port, loaded, project, running

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from pipeline.config.load import load_params  # noqa: E402 - needs the path above
from pipeline.monitoring.judging import detect_drift  # noqa: E402 - needs the path above
from pipeline.monitoring.layout import RollupLayout  # noqa: E402 - needs the path above
from pipeline.monitoring.outcomes import evaluate_window  # noqa: E402 - needs the path above
from pipeline.monitoring.rollups import roll_up  # noqa: E402 - needs the path above
from pipeline.monitoring.traffic import traffic_summary  # noqa: E402 - needs the path above
from pipeline.monitoring.windows import Window, window_counts, window_by_time  # noqa: E402 - needs the path above
from pipeline.package import PackageStore  # noqa: E402 - needs the path above
from pipeline.state import State, open_state  # noqa: E402 - needs the path above

DAYS = 30
NOW = 1_770_000_000_000_000
ROUNDS = 9
NICE = 10  # as stages.monitor
PARAMS = ROOT / "params.yaml"


@dataclass(frozen=True, slots=True)
class Log:
    """A log that was counted, and the window of all of it."""

    state: State
    made: Made
    window: Window
    rows_per_s: dict[str, float]

    def drift(self) -> None:
        layout, config = RollupLayout(self.made.package), load_params(PARAMS)
        counts = window_counts(self.state, self.made.name, self.made.package, self.window)
        detect_drift(layout.reference, counts, config.drift, min_rows=config.monitoring.min_rows)

    def performance(self) -> None:
        package, monitoring = self.made.package, load_params(PARAMS).monitoring
        evaluate_window(self.state, self.made.name, package, self.window, monitoring, packages=lambda _: package, seed=0)

    def dashboard(self) -> None:
        traffic_summary(self.state, self.made.name, self.window, lambda _: self.made.package)


def counted(folder: Path, made: Made, n: int) -> Log:
    """Write a log and count it."""
    state = open_state(folder)
    log_rows(state, made, n, until=NOW, days=DAYS)
    clock, started = time.perf_counter(), time.process_time()
    if roll_up(state, made.name, lambda _: made.package) != n:
        sys.exit("roll-ups did not count every row")
    rates = {"of CPU": n / (time.process_time() - started), "by the clock": n / (time.perf_counter() - clock)}
    kept = {f"kept, rows/s {how}": rate for how, rate in rates.items()}
    return Log(state, made, window_by_time(state, made.name, since=NOW - DAYS * DAY_US, until=NOW + 1), kept)


def windows(logs: dict[int, Log]) -> dict[int, dict[str, float]]:
    """Return milliseconds by number of rows; logs take turns, so that a slow moment of the machine is everybody's."""
    load_params(PARAMS)
    spent: dict[int, dict[str, list[float]]] = {n: {} for n in logs}
    for _ in range(ROUNDS + 1):
        for n, log in logs.items():
            for task in (log.drift, log.performance, log.dashboard):
                started = time.process_time()
                task()
                spent[n].setdefault(f"{task.__name__}, ms", []).append(1000 * (time.process_time() - started))
    return {n: {what: median(times[1:]) for what, times in figures.items()} for n, figures in spent.items()}


def beside(seconds: int, rounds: int) -> None:
    """Print a server's answers a second, alone and while a process counts them as they come."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _, rows = project(folder, MODELS["logistic regression"])
        (folder / "params.yaml").write_text(PARAMS.read_text(encoding="utf-8"), encoding="utf-8")
        asked = Bodies("/predict", [json.dumps({"features": row}).encode() for row in rows[:500]])
        port, rates = free_port(), {"alone": [], "counted": []}
        command = [sys.executable, "-m", "pipeline.serving", "--state", name, "--port", str(port)]
        with running(command, port, folder, asked):
            for _ in range(rounds):
                rates["alone"].append(loaded(port, asked, 16, seconds, folder).rate)
                counting = subprocess.Popen([sys.executable, __file__, "--count", name])
                time.sleep(2)  # until it has started
                rates["counted"].append(loaded(port, asked, 16, seconds, folder).rate)
                counting.terminate()
                counting.wait()
        alone, counted_ = (median(one) for one in rates.values())
        for what, one in rates.items():
            print(f"  {what:22} {', '.join(f'{rate:,.0f}' for rate in one)} answers/s")
        bar("answers/s while roll-ups run, less", 1 - counted_ / alone, "<=", 0.05)


def count(folder: Path) -> None:
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
    given = parser.parse_args()
    if given.count:
        count(given.count)
    if given.server:
        beside(given.server, 4)
        return
    with tempfile.TemporaryDirectory() as name:
        made = make_package(Path(name))
        logs = {n: counted(Path(name) / f"of_{n}", made, n) for n in given.rows}
        found = windows(logs)
        for n, figures in found.items():
            print(f"{n:,} rows over {DAYS} days")
            for what, value in {**logs[n].rows_per_s, **figures}.items():
                print(f"  {what:26} {value:12,.1f}")
            logs[n].state.close()
    for what, rate in logs[max(logs)].rows_per_s.items():
        bar(what, rate, ">=", 200_000.0)
    for what, most in found[max(found)].items():
        bar(what, most, "<=", 50.0)
        bar(f"{what}, beside the least", most / found[min(found)][what], "<=", 1.2)


def bar(what: str, value: float, side: str, limit: float) -> None:
    """Print a figure and its bar, met or missed."""
    is_met = value >= limit if side == ">=" else value <= limit
    print(f"{what:36} {value:12,.2f}  bar {side} {limit:,.2f}  {'met' if is_met else 'MISSED'}")


if __name__ == "__main__":
    main()
