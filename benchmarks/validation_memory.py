"""Peak memory of validation by the number of rows, beside reading the same file without validating it.

Run it with `python benchmarks/validation_memory.py`, or with `--rows 1000000 4000000` for a smaller try. The
target: the peak at 100 million rows exceeds that at 10 million by at most 100 MB. Every measurement is a process of its
own; each file is removed after its measurement.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402 - needs the path above
import pyarrow as pa  # noqa: E402 - needs the path above
import pyarrow.parquet as pq  # noqa: E402 - needs the path above

from benchmarks.validation_speed import FEW, load_settings, make_values  # noqa: E402 - needs the path above
from pipeline.schema import Column, Schema  # noqa: E402 - needs the path above
from pipeline.validation import validate_rows  # noqa: E402 - needs the path above
from pipeline.validation.arrow_rows import open_rows  # noqa: E402 - needs the path above

GROUP_ROWS = 1_000_000
BAR_MB = 100
KEY = Column("row_key", "integer", "Int64", unique=True, role="id")


def declare_rows() -> Schema:
    """Return the default problem with a unique key, the rule that needs most."""
    schema = Schema.from_config(load_settings().data)
    return replace(schema, columns=(*schema.columns, KEY))


def write_rows(path: Path, schema: Schema, n_rows: int) -> None:
    """Write rows by the declaration; each ten-thousandth key is that of the row before it."""
    rng = np.random.default_rng(0)
    classes = np.array(schema.target.classes)
    writer = None
    for start in range(0, n_rows, GROUP_ROWS):
        n = min(GROUP_ROWS, n_rows - start)
        arrays = {c.name: make_values(c, n, FEW, rng) for c in schema.columns if c.name != KEY.name}
        keys = np.arange(start, start + n)
        arrays[KEY.name] = pa.array(np.where(keys % 10_000 == 9_999, keys - 1, keys))
        arrays[schema.target.column] = pa.array(classes[rng.integers(0, len(classes), n)])
        table = pa.table(arrays)
        writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
        writer.write_table(table)
    if writer is not None:
        writer.close()


def peak_memory_mb() -> float:
    """Return the peak of this process; unlike `getrusage`, without that of the process that started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def measure_in_process(implementation: str, path: Path) -> None:
    schema = declare_rows()
    started = time.process_time()
    if implementation == "read alone":
        rows = open_rows(path, schema)
        n_failed = rows.n_rows - sum(len(batch) for batch in rows.batches())
    else:
        n_failed = validate_rows(path, schema, load_settings().validation).failed_rows.count()
    cpu_s = time.process_time() - started
    print(json.dumps({"cpu_s": cpu_s, "peak_mb": peak_memory_mb(), "n_failed": n_failed}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="*", default=[10_000_000, 100_000_000], help="sizes to try")
    parser.add_argument("--implementation", choices=["read alone", "validate"], help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.implementation is not None:
        measure_in_process(arguments.implementation, arguments.file)
        return
    print(f"{'rows':>12}  {'':12}{'CPU s':>8}{'peak MB':>9}{'failed rows':>13}")
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        for n_rows in arguments.rows:
            path = Path(folder) / "rows.parquet"
            write_rows(path, declare_rows(), n_rows)
            for implementation in ("read alone", "validate"):
                command = [sys.executable, __file__, "--implementation", implementation, "--file", str(path)]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                cost = json.loads(done.stdout.splitlines()[-1])
                print(
                    f"{n_rows:>12,}  {implementation:12}{cost['cpu_s']:8.1f}{cost['peak_mb']:9.0f}"
                    f"{cost['n_failed']:13,}",
                    flush=True,
                )
            peaks.append(cost["peak_mb"])
            path.unlink()
    print(f"difference {peaks[-1] - peaks[0]:.0f} MB; target at most {BAR_MB} MB")


if __name__ == "__main__":
    main()
