"""How fast are roll-ups kept, and how long does a window of 30 days take, whatever the number of rows in it?

Each number of rows is written to a state database of its own, counted once, and judged as the monitor does.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402 - needs the path above

from pipeline import state as store  # noqa: E402 - needs the path above
from pipeline.config.load import load_params  # noqa: E402 - needs the path above
from pipeline.monitoring.judging import find_drift  # noqa: E402 - needs the path above
from pipeline.monitoring.layout import Layout  # noqa: E402 - needs the path above
from pipeline.monitoring.outcomes import judge_window  # noqa: E402 - needs the path above
from pipeline.monitoring.rollups import roll_up  # noqa: E402 - needs the path above
from pipeline.monitoring.traffic import traffic_of  # noqa: E402 - needs the path above
from pipeline.monitoring.windows import window_counts, window_of  # noqa: E402 - needs the path above
from pipeline.package import Package, PackageStore  # noqa: E402 - needs the path above
from pipeline.state import Journal, State, add_outcomes, open_state  # noqa: E402 - needs the path above
from tests.pipeline.package.packing import pack, parts  # noqa: E402 - needs the path above

NAME, DAYS = "bench", 30
NOW = 1_770_000_000_000_000
AT_ONCE = 50_000


def write_log(state: State, package: Package, n: int) -> None:
    """Log rows evenly over thirty days, every second with its outcome."""
    frame = parts("personality", 4_000).train
    names = list(package.schema.feature_names)
    features = [json.dumps(one) for one in json.loads(frame[names].to_json(orient="records"))]
    shares = [dict(zip(package.classes, one, strict=True)) for one in package.predict_proba(frame).tolist()]
    said, truth = package.predict(frame).tolist(), frame[package.schema.target.column].astype(str).tolist()
    probabilities = [json.dumps(one) for one in shares]
    at = np.linspace(NOW - DAYS * store.DAY_US, NOW, n, endpoint=False).astype(np.int64).tolist()
    journal = Journal(state)
    for start in range(0, n, AT_ONCE):
        rows = []
        for i in range(start, min(start + AT_ONCE, n)):
            j = i % len(frame)
            rows.append(
                store.PredictionRow(
                    f"p{i}", at[i], NAME, 1, package.digest, 1, features[j], said[j], probabilities[j],
                    shares[j][said[j]], "champion", "champion", 900 + j, 1.0, None, None,
                )
            )  # fmt: skip
        journal.append(rows)
        with state.writing() as connection:
            known = range(start, min(start + AT_ONCE, n), 2)
            add_outcomes(connection, [(f"p{i}", at[i], truth[i % len(frame)], "bench") for i in known])
    journal.close()


def milliseconds(task: object, rounds: int = 7) -> float:
    spent = []
    for _ in range(rounds):
        started = time.perf_counter()
        task()  # type: ignore[operator] # any function without arguments
        spent.append(1000 * (time.perf_counter() - started))
    return median(spent)


def measure(folder: Path, package: Package, n: int) -> dict[str, float]:
    config = load_params(ROOT / "params.yaml")
    state = open_state(folder)
    write_log(state, package, n)
    started = time.process_time()
    wall = time.perf_counter()
    if roll_up(state, NAME, lambda _: package) != n:
        sys.exit("roll-ups did not count every row")
    spent, wall = time.process_time() - started, time.perf_counter() - wall
    layout = Layout(package)
    window = window_of(state, NAME, since=NOW - DAYS * store.DAY_US, until=NOW + 1)

    def drift() -> None:
        find_drift(
            layout.reference, window_counts(state, NAME, package, window), config.drift,
            min_rows=config.monitoring.min_rows,
        )  # fmt: skip

    def performance() -> None:
        judge_window(state, NAME, package, window, config.monitoring, packages=lambda _: package, seed=0)

    figures = {
        "kept, rows/s": n / wall,
        "kept, rows/s of CPU": n / spent,
        "drift, ms": milliseconds(drift),
        "performance, ms": milliseconds(performance),
        "dashboard, ms": milliseconds(lambda: traffic_of(state, NAME, window, lambda _: package)),
    }
    state.close()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000], help="rows of the log")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        kept = PackageStore(Path(name) / "packages")
        pack(Path(name) / "packed", "personality", "model=logistic_regression", n_rows=4_000)
        package = kept.add(Path(name) / "packed")
        for n in given.rows:
            folder = Path(name) / f"of_{n}"
            folder.mkdir()
            print(f"{n:,} rows over {DAYS} days")
            for what, value in measure(folder, package, n).items():
                print(f"  {what:22} {value:12,.1f}")


if __name__ == "__main__":
    main()
