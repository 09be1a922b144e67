"""How fast are roll-ups kept, and how long does a window of 30 days take, whatever the number of rows in it?

Each number of rows is written to a state database of its own, counted once, and judged as the monitor does.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from making import DAY_US, Made, log_rows, make_package

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from pipeline.config.load import load_params  # noqa: E402 - needs the path above
from pipeline.monitoring.judging import find_drift  # noqa: E402 - needs the path above
from pipeline.monitoring.layout import Layout  # noqa: E402 - needs the path above
from pipeline.monitoring.outcomes import judge_window  # noqa: E402 - needs the path above
from pipeline.monitoring.rollups import roll_up  # noqa: E402 - needs the path above
from pipeline.monitoring.traffic import traffic_of  # noqa: E402 - needs the path above
from pipeline.monitoring.windows import window_counts, window_of  # noqa: E402 - needs the path above
from pipeline.state import open_state  # noqa: E402 - needs the path above

DAYS = 30
NOW = 1_770_000_000_000_000


def milliseconds(task: object, rounds: int = 7) -> float:
    spent = []
    for _ in range(rounds):
        started = time.perf_counter()
        task()  # type: ignore[operator] # any function without arguments
        spent.append(1000 * (time.perf_counter() - started))
    return median(spent)


def measure(folder: Path, made: Made, n: int) -> dict[str, float]:
    config = load_params(ROOT / "params.yaml")
    state = open_state(folder)
    package = made.package
    log_rows(state, made, n, until=NOW, days=DAYS)
    started = time.process_time()
    wall = time.perf_counter()
    if roll_up(state, made.name, lambda _: package) != n:
        sys.exit("roll-ups did not count every row")
    spent, wall = time.process_time() - started, time.perf_counter() - wall
    layout = Layout(package)
    window = window_of(state, made.name, since=NOW - DAYS * DAY_US, until=NOW + 1)

    def drift() -> None:
        find_drift(
            layout.reference, window_counts(state, made.name, package, window), config.drift,
            min_rows=config.monitoring.min_rows,
        )  # fmt: skip

    def performance() -> None:
        judge_window(state, made.name, package, window, config.monitoring, packages=lambda _: package, seed=0)

    figures = {
        "kept, rows/s": n / wall,
        "kept, rows/s of CPU": n / spent,
        "drift, ms": milliseconds(drift),
        "performance, ms": milliseconds(performance),
        "dashboard, ms": milliseconds(lambda: traffic_of(state, made.name, window, lambda _: package)),
    }
    state.close()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000], help="rows of the log")
    given = parser.parse_args()
    found = {}
    with tempfile.TemporaryDirectory() as name:
        made = make_package(Path(name))
        for n in given.rows:
            folder = Path(name) / f"of_{n}"
            folder.mkdir()
            print(f"{n:,} rows over {DAYS} days")
            found[n] = measure(folder, made, n)
            for what, value in found[n].items():
                print(f"  {what:22} {value:12,.1f}")
            shutil.rmtree(folder)
    judge(found)


def judge(found: dict[int, dict[str, float]]) -> None:
    """Print each bar, met or missed, for the largest log, and its windows beside those of the smallest."""
    most, least = found[max(found)], found[min(found)]
    rows = [("kept, rows/s of CPU", most["kept, rows/s of CPU"], ">=", 200_000.0)]
    for what in ("drift, ms", "performance, ms", "dashboard, ms"):
        rows += [(what, most[what], "<=", 50.0), (f"{what}, beside the least", most[what] / least[what], "<=", 1.2)]
    for what, value, side, bar in rows:
        is_met = value >= bar if side == ">=" else value <= bar
        print(f"{what:36} {value:12,.2f}  bar {side} {bar:,.1f}  {'met' if is_met else 'MISSED'}")


if __name__ == "__main__":
    main()
