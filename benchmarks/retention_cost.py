"""What does it cost that old predictions leave: a partition at once, or row by row?

A log of the given number of rows, an outcome for every tenth, in a PostgreSQL of its own (fsync on); all of it is old.
A writer commits single predictions meanwhile, and says how long it had to wait at most.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from pipeline import state as store  # noqa: E402 - needs the path above
from pipeline.config.config_loader import load_params  # noqa: E402 - needs the path above
from pipeline.serving.retention import prepare_partitions, prune  # noqa: E402 - needs the path above
from tests.fixtures import postgresql_server  # noqa: E402 - needs the path above

FEATURES = '{"Drained_after_socializing":"No","Friends_circle_size":9,"Going_outside":6,"Time_spent_Alone":2}'
PROBABILITIES = '{"Extrovert":0.981,"Introvert":0.019}'
BATCH_ROWS = 10_000
FIRST_ROW_US = 1_770_000_000_000_000


def make_row(number: int, at: int) -> store.PredictionRow:
    return store.PredictionRow(
        f"{number:036d}", at, "m", 1, "d" * 64, 3, FEATURES, "Extrovert", PROBABILITIES, 0.981, "production", "api", 900,
        1.0, None, None,
    )  # fmt: skip


def fill_log(state: store.State, n: int) -> None:
    journal = store.PredictionWriter(state)
    for first in range(0, n, BATCH_ROWS):
        journal.write([make_row(at, FIRST_ROW_US + at) for at in range(first, min(first + BATCH_ROWS, n))])
        with state.writing() as connection:
            told = range(first, min(first + BATCH_ROWS, n), 10)
            store.add_outcomes(connection, [(f"{at:036d}", FIRST_ROW_US + at, "Extrovert", "api") for at in told])
    journal.close()


def write_until(state: store.State, is_over: threading.Event, waits: list[float]) -> None:
    journal = store.PredictionWriter(state)
    while not is_over.is_set():
        began = time.perf_counter()
        journal.write([make_row(10**9 + len(waits), state.clock())])
        waits.append(time.perf_counter() - began)
        time.sleep(0.002)
    journal.close()


def measure_removal(address: str, n: int, *, has_partitions: bool) -> str:
    state = store.connect_to(
        postgresql_server.new_database(address, template=postgresql_server.template_database(address)),
        setting_name="the benchmark",
    )
    config = load_params(ROOT / "params.yaml").serving.log
    if has_partitions:
        prepare_partitions(replace(state, clock=lambda: FIRST_ROW_US), config)
    fill_log(state, n)
    with state.engine.connect() as connection:
        connection.exec_driver_sql("ANALYZE")
        connection.commit()
    later = FIRST_ROW_US + (config.retention_days + 2 * config.partition_days) * store.DAY_US
    old = replace(state, clock=lambda: later)
    prepare_partitions(old, config)
    is_over, waits = threading.Event(), list[float]()
    writer = threading.Thread(target=write_until, args=(old, is_over, waits))
    writer.start()
    time.sleep(1)
    quiet, began = sorted(waits), time.perf_counter()
    n_before = len(waits)
    n_removed = prune(old, config)
    spent = time.perf_counter() - began
    during = sorted(waits[n_before:]) or [spent]
    is_over.set()
    writer.join()
    state.close()
    if n_removed != n:
        sys.exit(f"{n_removed} rows were removed of {n}")
    return (
        f"{spent:6.2f} s; a commit beside it took {1000 * during[len(during) // 2]:.1f} ms (median), "
        f"{1000 * during[-1]:.0f} ms at most; before {1000 * quiet[len(quiet) // 2]:.1f} and {1000 * quiet[-1]:.0f}"
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=1_000_000)
    n = arguments.parse_args().rows
    folder = postgresql_server.find_server_programs()
    if folder is None:
        sys.exit("PostgreSQL's server is not installed (Debian: apt install postgresql)")
    with postgresql_server.running_server(folder, is_durable=True) as address:
        for name, has_partitions in (("by partition", True), ("row by row", False)):
            print(f"{n:,} rows {name}: {measure_removal(address, n, has_partitions=has_partitions)}", flush=True)


if __name__ == "__main__":
    main()
