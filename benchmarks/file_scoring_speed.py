"""Measure time and memory of `mlops predict` on a Parquet file, beside a bare copy of it and onnxruntime alone.

    python benchmarks/file_scoring_speed.py --rows 10000000

The copy reads the file in batches of 131,072 rows and writes them in the form of the output: what reading and writing
cost without a model. onnxruntime gets encoded rows in memory, in batches of the same size, and both use one inference
thread. `mlops predict` also reads, checks, encodes and writes the rows, in threads beside the inference.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmark_setup import MODELS, train_package

ROOT = Path(__file__).parents[1]
_BATCH_ROWS = 131_072


def prepare_package(folder: Path, overrides: tuple[str, ...]) -> None:
    """Write the package of a model, and its test rows."""
    trained = train_package(folder / "package", overrides)
    trained.test[trained.features].to_parquet(folder / "test.parquet")


def write_rows(folder: Path, n_rows: int) -> None:
    """Write `n_rows` rows that are sampled from the test rows."""
    import numpy as np
    import pyarrow.parquet as pq

    test_rows = pq.read_table(folder / "test.parquet")
    generator = np.random.default_rng(0)
    with pq.ParquetWriter(folder / "rows.parquet", test_rows.schema) as writer:
        for start in range(0, n_rows, _BATCH_ROWS):
            writer.write_table(test_rows.take(generator.integers(0, len(test_rows), min(_BATCH_ROWS, n_rows - start))))


def ours(folder: Path) -> None:
    """Print the seconds of scoring the file, and the peak memory of the process in megabytes."""
    from pipeline.package import load_package
    from pipeline.serving.files.file_scorer import score_file

    package = load_package(folder / "package")
    started, cpu_started = time.perf_counter(), time.process_time()
    score_file(package, folder / "rows.parquet", folder / "scored.parquet")
    print(time.perf_counter() - started, time.process_time() - cpu_started, _peak_mb())


def copy(folder: Path) -> None:
    """Print the seconds of reading the file and writing its rows again."""
    import pyarrow.parquet as pq

    started, cpu_started = time.perf_counter(), time.process_time()
    file = pq.ParquetFile(folder / "rows.parquet")
    with pq.ParquetWriter(folder / "copy.parquet", file.schema_arrow, compression="zstd", version="2.6") as writer:
        for batch in file.iter_batches(batch_size=_BATCH_ROWS):
            writer.write_batch(batch, row_group_size=_BATCH_ROWS)
    print(time.perf_counter() - started, time.process_time() - cpu_started, _peak_mb())


def alone(folder: Path) -> None:
    """Print the seconds of onnxruntime on the rows of the file, encoded before the clock starts."""
    import onnxruntime as ort
    import pyarrow.parquet as pq

    from pipeline.package import load_package

    encoder = load_package(folder / "package").serving_classifier.encoder
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(folder / "package/model.onnx", options, providers=["CPUExecutionProvider"])
    (name,) = [node.name for node in session.get_inputs()]
    file = pq.ParquetFile(folder / "rows.parquet")
    matrices = [
        encoder.transform({column: batch.column(column) for column in batch.schema.names})
        for batch in file.iter_batches(batch_size=_BATCH_ROWS)
    ]
    started, cpu_started = time.perf_counter(), time.process_time()
    for matrix in matrices:
        session.run([session.get_outputs()[-1].name], {name: matrix})
    print(time.perf_counter() - started, time.process_time() - cpu_started, _peak_mb())


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run_step(step: str, folder: Path) -> tuple[float, ...]:
    """Run a step in a process of its own and return the numbers that it prints."""
    code = (
        f"import runpy, pathlib, sys; sys.path[:0] = [{str(ROOT)!r}]; sys.path.append({str(ROOT / 'benchmarks')!r}); "
    )
    code += f"runpy.run_path({__file__!r}, run_name='step')[{step!r}](pathlib.Path({str(folder)!r}))"
    output = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True).stdout
    return tuple(map(float, output.split()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--models", default=",".join(MODELS))
    args = parser.parse_args()
    sys.path.remove(str(Path(__file__).parent))  # a script in this folder has the name of a library
    sys.path.insert(0, str(ROOT))
    print(
        f"{args.rows:,} rows{'':18} {'ours':>9} {'CPU':>9} {'copy, CPU':>11} {'ratio':>6} {'onnxruntime':>11}"
        f" {'CPU':>9} {'ratio':>6} {'peak':>8}"
    )
    for model in args.models.split(","):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            prepare_package(folder, MODELS[model])
            write_rows(folder, args.rows)
            seconds, cpu_s, peak_mb = run_step("ours", folder)
            _, copy_cpu_s, _ = run_step("copy", folder)
            alone_s, alone_cpu_s, _ = run_step("alone", folder)
            print(
                f"{model:28} {seconds:8.2f}s {cpu_s:8.2f}s {copy_cpu_s:10.2f}s {cpu_s / copy_cpu_s:6.2f}"
                f" {alone_s:10.2f}s {alone_cpu_s:8.2f}s"
                f" {seconds / alone_s:6.2f} {peak_mb:5.0f} MB",
                flush=True,
            )


if __name__ == "__main__":
    main()
