"""Validation of a large Parquet file against Pandera on the same rows and rules, in one run.

Run it with `python benchmarks/validation_speed.py`, or with `--rows 1000000` for a smaller try. Every measurement is a
process of its own, so that its peak memory is its own; the targets are 3 times faster, and 600 MB at 10 million rows.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402 - needs the path above
import pyarrow as pa  # noqa: E402 - needs the path above
import pyarrow.parquet as pq  # noqa: E402 - needs the path above

from pipeline.config.composition import compose  # noqa: E402 - needs the path above
from pipeline.config.config_loader import build_config  # noqa: E402 - needs the path above
from pipeline.schema import Column, Schema  # noqa: E402 - needs the path above

CHUNK_ROWS = 1_000_000
FEW, MANY = 0.001, 0.95
BAR_TIMES, BAR_MB = 3, 600


@dataclass(frozen=True)
class ValidationCost:
    """What one process took, and how many values break each rule."""

    seconds: float
    peak_mb: float
    counts: dict[str, int]


def load_settings() -> Any:
    return build_config(compose([], conf=ROOT / "conf").values, where="conf")


def write_rows(path: Path, schema: Schema, n_rows: int, *, broken: float) -> None:
    """Write rows by the declaration; `broken` of the first number column lies beyond its range."""
    rng = np.random.default_rng(0)
    first = next(column.name for column in schema.columns if column.is_numeric)
    writer = None
    for start in range(0, n_rows, CHUNK_ROWS):
        n = min(CHUNK_ROWS, n_rows - start)
        arrays = {c.name: make_values(c, n, broken if c.name == first else FEW, rng) for c in schema.columns}
        classes = np.array(schema.target.classes)
        arrays[schema.target.column] = pa.array(classes[rng.integers(0, len(classes), n)])
        table = pa.table(arrays)
        writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
        writer.write_table(table)
    if writer is not None:
        writer.close()


def make_values(column: Column, n: int, broken: float, rng: np.random.Generator) -> pa.Array:
    is_missing, is_broken = rng.random(n) < 0.05, rng.random(n) < broken
    if column.is_numeric:
        low, high = int(column.minimum or 0), int(column.maximum or 1)
        numbers = np.where(is_broken, high + rng.integers(1, 5, n), rng.integers(low, high + 1, n))
        return pa.array(numbers, mask=is_missing)
    words = np.array([*column.categories, "Unknown"])
    codes = np.where(is_broken, len(words) - 1, rng.integers(0, len(words) - 1, n))
    return pa.array(words[codes], mask=is_missing)


def validate_with_pandera(path: Path, schema: Schema) -> dict[str, int]:
    import pandas as pd
    from pandera.errors import SchemaErrors

    from pipeline.schema.pandera_schema import pandera_schema

    try:
        pandera_schema(schema).validate(pd.read_parquet(path), lazy=True)
    except SchemaErrors as error:
        failures = error.failure_cases.groupby(["column", "check"]).size()
        return {f"{column} {check}": int(n) for (column, check), n in failures.items()}
    return {}


def validate_with_plan(path: Path, schema: Schema) -> dict[str, int]:
    from pipeline.validation.arrow_rows import open_rows
    from pipeline.validation.row_failures import find_row_failures

    failures = find_row_failures(open_rows(path, schema), schema, max_examples=1_000, pandera_max_rows=1)
    return {f"{rule.column} {rule.rule}": rule.n_failed for rule in failures.rules}


def build_full_report(path: Path, schema: Schema) -> dict[str, int]:
    from pipeline.validation import validate_rows

    report = validate_rows(path, schema, load_settings().validation)
    return {
        f"{finding.column} {finding.check}": finding.n_failed for finding in report.findings if finding.rule == "schema"
    }


IMPLEMENTATIONS = {
    "Pandera": validate_with_pandera,
    "same rules, compiled": validate_with_plan,
    "whole report": build_full_report,
}


def measure_in_process(implementation: str, path: Path) -> None:
    """Run one implementation in this process; imports and settings are not timed."""
    import pandas as pd
    import pandera.pandas  # noqa: F401 - import cost is not what is compared

    import pipeline.validation  # noqa: F401 - the same

    schema = Schema.from_config(load_settings().data)
    pd.DataFrame()
    started = time.perf_counter()
    counts = IMPLEMENTATIONS[implementation](path, schema)
    seconds = time.perf_counter() - started
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak_mb": peak_mb, "counts": counts}))


def measure_in_subprocess(implementation: str, path: Path, repeats: int) -> ValidationCost:
    """Return the fastest of a few processes."""
    command = [sys.executable, __file__, "--implementation", implementation, "--file", str(path)]
    measurements = []
    for _ in range(repeats):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{implementation}: {done.stderr}")
        measurements.append(json.loads(done.stdout.splitlines()[-1]))
    best = min(measurements, key=lambda measurement: float(measurement["seconds"]))
    return ValidationCost(best["seconds"], max(measurement["peak_mb"] for measurement in measurements), best["counts"])


def compare_implementations(n_rows: int, broken: float, folder: Path) -> None:
    path = folder / f"{n_rows}-{broken}.parquet"
    write_rows(path, Schema.from_config(load_settings().data), n_rows, broken=broken)
    repeats = 3 if n_rows <= CHUNK_ROWS else 1
    costs = {implementation: measure_in_subprocess(implementation, path, repeats) for implementation in IMPLEMENTATIONS}
    path.unlink()
    pandera = costs["Pandera"]
    print(f"\n{n_rows:,} rows, {sum(pandera.counts.values()):,} values break a rule")
    print(f"{'':22}{'seconds':>9}{'times':>8}{'peak MB':>9}  counts")
    for implementation, cost in costs.items():
        same = "equal" if cost.counts == pandera.counts else f"DIFFER: {cost.counts} and {pandera.counts}"
        print(f"{implementation:22}{cost.seconds:9.2f}{pandera.seconds / cost.seconds:8.1f}{cost.peak_mb:9.0f}  {same}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="*", default=[1_000_000, 10_000_000], help="sizes to try")
    parser.add_argument("--implementation", choices=list(IMPLEMENTATIONS), help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.implementation is not None:
        measure_in_process(arguments.implementation, arguments.file)
        return
    print(f"targets: at least {BAR_TIMES} times faster on the same rules, at most {BAR_MB} MB at 10 million rows")
    with tempfile.TemporaryDirectory() as folder:
        for n_rows in arguments.rows:
            compare_implementations(n_rows, FEW, Path(folder))
        compare_implementations(max(arguments.rows), MANY, Path(folder))


if __name__ == "__main__":
    main()
