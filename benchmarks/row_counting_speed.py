"""Measure `mlops monitor count` on a Parquet file in 16 parts, beside reading the file and nothing else.

python benchmarks/row_counting_speed.py --rows 10000000
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
_N_PARTS = 16
_BATCH_ROWS = 131_072


def read_only(source: Path) -> None:
    """Read the rows of a file, as the counter does."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(source) as file:
        for _ in file.iter_batches(batch_size=_BATCH_ROWS):
            pass


def count(root: Path, source: Path, output: Path, *, workers: int, part_rows: int) -> None:
    """Count the rows of a file in parts."""
    from pipeline.config.groups.engine_config import LocalEngineConfig
    from pipeline.engines import open_engine
    from pipeline.monitoring.counting import CountJob, plan_counts
    from pipeline.package import PackageStore
    from pipeline.parts import run_parts
    from pipeline.storage import StoragePath

    (digest,) = [folder.name for folder in (root / "state/packages").iterdir() if folder.is_dir()]
    package = PackageStore(root / "state/packages").load(digest)
    plan = plan_counts(package, [StoragePath.parse(source)], predicts=False, part_rows=part_rows)
    config = LocalEngineConfig(kind="local", workers=workers, retries=0, part_rows=part_rows)
    with open_engine(config) as engine:
        run_parts(CountJob(root), plan, StoragePath.parse(output), engine)


def _cpu_s() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    args = parser.parse_args()
    from file_scoring_speed import prepare_package, write_rows  # a worker process has another search path

    sys.path.remove(str(Path(__file__).parent))  # a script in this folder has the name of a library
    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare_package(folder, ("model=logistic_regression",))
        write_rows(folder, args.rows)
        from pipeline.package import PackageStore

        PackageStore(folder / "state/packages").add(folder / "package")
        steps = {"read only": lambda: read_only(folder / "rows.parquet")}
        for workers in (1, 2):
            steps[f"count, {workers} workers"] = lambda workers=workers: count(
                folder,
                folder / "rows.parquet",
                folder / f"out-{workers}",
                workers=workers,
                part_rows=math.ceil(args.rows / _BATCH_ROWS / _N_PARTS) * _BATCH_ROWS,
            )
        print(f"{args.rows:,} rows, {_N_PARTS} parts")
        for step, run in steps.items():
            started, cpu_started = time.perf_counter(), _cpu_s()
            run()
            print(f"{step:20} {time.perf_counter() - started:8.2f} s {_cpu_s() - cpu_started:8.2f} s CPU", flush=True)
        contents = {path.read_bytes() for path in folder.glob("out-*/counts.json")}
        print("equal counts" if len(contents) == 1 else "COUNTS DIFFER")


if __name__ == "__main__":
    main()
