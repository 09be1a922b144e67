"""Time and memory of `mlops predict` on a Parquet file, beside onnxruntime alone on the same arrays in the same run.

    python benchmarks/file_scoring_speed.py --rows 10000000

onnxruntime gets the rows encoded already, in memory, in pieces of 131,072, on as many threads as ours: one. Ours
reads, checks, encodes, infers and writes Parquet; other parts of it go on beside the inference, in threads.
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
    """Write the package of a model, and the rows that it did not learn from."""
    trained = train_package(folder / "package", overrides)
    trained.test[trained.features].to_parquet(folder / "some.parquet")


def write_rows(folder: Path, n_rows: int) -> None:
    """Write `n_rows` rows, drawn from those that the model did not learn from."""
    import numpy as np
    import pyarrow.parquet as pq

    some = pq.read_table(folder / "some.parquet")
    chance = np.random.default_rng(0)
    with pq.ParquetWriter(folder / "rows.parquet", some.schema) as writer:
        for start in range(0, n_rows, _BATCH_ROWS):
            writer.write_table(some.take(chance.integers(0, len(some), min(_BATCH_ROWS, n_rows - start))))


def ours(folder: Path) -> None:
    """Print the seconds of scoring the file, and the process's peak in megabytes."""
    from pipeline.package import load_package
    from pipeline.serving.files.file_scorer import score_file

    package = load_package(folder / "package")
    started, used = time.perf_counter(), time.process_time()
    score_file(package, folder / "rows.parquet", folder / "scored.parquet")
    print(time.perf_counter() - started, time.process_time() - used, _peak_mb())


def alone(folder: Path) -> None:
    """Print the seconds of onnxruntime on the rows of the file, encoded before the clock starts."""
    import onnxruntime as ort
    import pyarrow.parquet as pq

    from pipeline.package import load_package

    encoder = load_package(folder / "package").serving_classifier.encoder
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(folder / "package/model.onnx", options, providers=["CPUExecutionProvider"])
    (name,) = [one.name for one in session.get_inputs()]
    file = pq.ParquetFile(folder / "rows.parquet")
    pieces = [
        encoder.transform({column: batch.column(column) for column in batch.schema.names})
        for batch in file.iter_batches(batch_size=_BATCH_ROWS)
    ]
    started, used = time.perf_counter(), time.process_time()
    for piece in pieces:
        session.run([session.get_outputs()[-1].name], {name: piece})
    print(time.perf_counter() - started, time.process_time() - used, _peak_mb())


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run_step(step: str, folder: Path) -> tuple[float, ...]:
    """Return the figures that a step prints in a process of its own."""
    code = f"import sys; sys.path[:0] = [{str(ROOT)!r}]; sys.path.append({str(ROOT / 'benchmarks')!r}); import runpy, pathlib; "
    code += f"runpy.run_path({__file__!r}, run_name='step')[{step!r}](pathlib.Path({str(folder)!r}))"
    said = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True).stdout
    return tuple(map(float, said.split()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--models", default=",".join(MODELS))
    words = parser.parse_args()
    sys.path.remove(str(Path(__file__).parent))  # a script beside this one is called as the library is
    sys.path.insert(0, str(ROOT))
    print(
        f"{words.rows:,} rows{'':18} {'ours':>9} {'of it CPU':>9} {'alone':>9} {'of it CPU':>9} {'ratio':>6} {'peak':>8}"
    )
    for model in words.models.split(","):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            prepare_package(folder, MODELS[model])
            write_rows(folder, words.rows)
            seconds, used, peak = run_step("ours", folder)
            bare, bare_used, _ = run_step("alone", folder)
            figures = (
                f"{seconds:8.2f}s {used:8.2f}s {bare:8.2f}s {bare_used:8.2f}s {seconds / bare:6.2f} {peak:5.0f} MB"
            )
            print(f"{model:28} {figures}", flush=True)


if __name__ == "__main__":
    main()
