"""Measure the removal of old predictions: by partition, or row by row.

All rows of the log are old, and every tenth has an outcome. They are in a PostgreSQL server of their own (fsync on). A
writer commits single predictions during the removal, and its longest wait is printed.
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
from pipeline.serving.retention import prepare_partitions, prune_log  # noqa: E402 - needs the path above
from tests.fixtures import postgresql_server  # noqa: E402 - needs the path above

FEATURES = '{"Drained_after_socializing":"No","Friends_circle_size":9,"Going_outside":6,"Time_spent_Alone":2}'
PROBABILITIES = '{"Extrovert":0.981,"Introvert":0.019}'
BATCH_ROWS = 10_000
FIRST_ROW_US = 1_770_000_000_000_000


def make_row(number: int, predicted_at: int) -> store.PredictionRow:
    return store.PredictionRow(
        f"{number:036d}", predicted_at, "m", 1, "d" * 64, 3, FEATURES, "Extrovert", PROBABILITIES, 0.981, "production",
        "champion", "api", 900, 1.0, None, None,
    )  # fmt: skip


def fill_log(state: store.State, n: int) -> None:
    writer = store.PredictionWriter(state)
    for first in range(0, n, BATCH_ROWS):
        writer.write([make_row(number, FIRST_ROW_US + number) for number in range(first, min(first + BATCH_ROWS, n))])
        with state.writing() as connection:
            numbers = range(first, min(first + BATCH_ROWS, n), 10)
            store.add_outcomes(
                connection, [(f"{number:036d}", FIRST_ROW_US + number, "Extrovert", "api") for number in numbers]
            )
    writer.close()


def write_until(state: store.State, stop_event: threading.Event, waits_s: list[float]) -> None:
    writer = store.PredictionWriter(state)
    while not stop_event.is_set():
        started = time.perf_counter()
        writer.write([make_row(10**9 + len(waits_s), state.clock())])
        waits_s.append(time.perf_counter() - started)
        time.sleep(0.002)
    writer.close()


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
    old_state = replace(state, clock=lambda: later)
    prepare_partitions(old_state, config)
    stop_event, waits_s = threading.Event(), list[float]()
    writer = threading.Thread(target=write_until, args=(old_state, stop_event, waits_s))
    writer.start()
    time.sleep(1)
    before, started = sorted(waits_s), time.perf_counter()
    n_before = len(waits_s)
    n_removed = prune_log(old_state, config, actor="benchmark", confirms_clock=True)
    seconds = time.perf_counter() - started
    during = sorted(waits_s[n_before:]) or [seconds]
    stop_event.set()
    writer.join()
    state.close()
    if n_removed != n:
        sys.exit(f"{n_removed} of {n} rows were removed")
    return (
        f"{seconds:6.2f} s; a commit during it took {1000 * during[len(during) // 2]:.1f} ms (median), "
        f"{1000 * during[-1]:.0f} ms at most; before {1000 * before[len(before) // 2]:.1f} and {1000 * before[-1]:.0f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    n = parser.parse_args().rows
    folder = postgresql_server.find_server_programs()
    if folder is None:
        sys.exit("PostgreSQL's server is not installed (Debian: apt install postgresql)")
    with postgresql_server.running_server(folder, is_durable=True) as address:
        for name, has_partitions in (("by partition", True), ("row by row", False)):
            print(f"{n:,} rows {name}: {measure_removal(address, n, has_partitions=has_partitions)}", flush=True)


if __name__ == "__main__":
    main()
