"""Measure what each engine costs to score a Parquet file in parts, beside processes of this machine.

    python benchmarks/parts.py --rows 10000000

Each engine runs in turn, in a process of its own with its cluster. A sampler outside reads the processor time and the
proportional memory (PSS) of all their processes. The start ends when each worker has run an empty item. The manifests
must be equal but for the names of files.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from benchmark_setup import make_package

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
ENGINES = ("one file", "local 1", "local 2", "dask 2", "ray 2")
_MAX_GROUP_ROWS = 131_072
_SAMPLE_INTERVAL_S = 0.25
_RAY = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": os.urandom(32).hex(), "RAY_USAGE_STATS_ENABLED": "0"}


class TreeSampler:
    """Processor time and peak memory of a process and of all that it starts, also of those that ended."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._cpu_s: dict[int, float] = {}
        self.peak_mb = 0.0
        self._is_stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def cpu_s(self) -> float:
        """Return the processor time until now, in seconds."""
        self._sample()
        return sum(self._cpu_s.values())

    def stop(self) -> None:
        self._is_stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._is_stopped.wait(_SAMPLE_INTERVAL_S):
            self.peak_mb = max(self.peak_mb, self._sample())

    def _sample(self) -> float:
        memory = 0
        with contextlib.suppress(psutil.Error):
            for process in [self._root, *self._root.children(recursive=True)]:
                with contextlib.suppress(psutil.Error):
                    times = process.cpu_times()
                    self._cpu_s[process.pid] = times.user + times.system
                    memory += process.memory_full_info().pss
        return memory / 1e6


def write_rows(folder: Path, frame: Any, n_rows: int, *, group_rows: int) -> None:
    """Write `n_rows` rows that are sampled from the train rows of the package."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = pa.Table.from_pandas(frame, preserve_index=False)
    generator = np.random.default_rng(0)
    with pq.ParquetWriter(folder / "rows.parquet", rows.schema) as writer:
        for start in range(0, n_rows, group_rows):
            writer.write_table(rows.take(generator.integers(0, len(rows), min(group_rows, n_rows - start))))


def run_engine(name: str, folder: Path, digest: str, part_rows: int) -> None:
    """Score the rows on one engine; print a line when it is ready, and one when it is done."""
    from pipeline.package import PackageStore

    package = PackageStore(folder / "state/packages").load(digest)
    if name == "one file":
        from pipeline.serving.files.file_scorer import score_file

        _report("ready")
        score_file(package, folder / "rows.parquet", folder / "scored.parquet")
        _report("done")
        return
    with ExitStack() as clusters:
        _run_parts(name, folder, package, part_rows=part_rows, clusters=clusters)


def _run_parts(name: str, folder: Path, package: Any, *, part_rows: int, clusters: ExitStack) -> None:
    from pipeline.config.groups import engine_config
    from pipeline.engines import open_engine
    from pipeline.parts import run_parts
    from pipeline.serving.files.scoring_job import ScoringJob, ScoringSettings
    from pipeline.serving.files.scoring_plan import plan_scoring
    from pipeline.storage import StoragePath

    kind, workers = name.split()
    rows, output = StoragePath.parse(folder / "rows.parquet"), StoragePath.parse(folder / f"out-{kind}-{workers}")
    settings = ScoringSettings("benchmark", 1, 1, package.digest, dict(package.schema.dialect))
    plan = plan_scoring(package, [rows], output, settings=settings, part_rows=part_rows)
    values: dict[str, Any] = {"kind": kind, "retries": 3, "part_rows": part_rows}
    config: Any
    if kind == "local":
        config = engine_config.LocalEngineConfig(**values, workers=int(workers))
    else:
        values |= {"address_env": "BENCHMARK_ADDRESS", "workers": None, "timeout_s": 120}
        os.environ["BENCHMARK_ADDRESS"] = _start_cluster(kind, int(workers), folder, clusters)
        classes = {"dask": engine_config.DaskEngineConfig, "ray": engine_config.RayEngineConfig}
        config = classes[kind](**values)
    with open_engine(config) as engine:
        list(engine.map(time.sleep, [0.5] * int(workers)))
        _report("ready")
        run_parts(ScoringJob(folder), plan, output, engine)
        _report("done")


def _start_cluster(kind: str, workers: int, folder: Path, clusters: ExitStack) -> str:
    """Start the processes of a cluster on loopback, and return its address."""
    if kind == "dask":
        file = folder / "scheduler.json"
        words = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)]
        clusters.enter_context(_running("distributed.cli.dask_scheduler", *words, log=folder / "scheduler.log"))
        _wait_for(file.exists)
        words = ["--scheduler-file", str(file), "--nworkers", str(workers), "--nthreads", "1", "--no-dashboard"]
        clusters.enter_context(_running("distributed.cli.dask_worker", *words, log=folder / "workers.log"))
        return str(json.loads(file.read_text(encoding="utf-8"))["address"])
    os.environ.update(_RAY)
    temporary = Path(clusters.enter_context(tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True)))
    words = [
        "start", "--head", "--port=0", f"--num-cpus={workers}", "--include-dashboard=false",
        "--object-store-memory=80000000", f"--temp-dir={temporary}", "--disable-usage-stats", "--block",
    ]  # fmt: skip
    log = folder / "ray.log"
    clusters.enter_context(_running("ray.scripts.scripts", *words, log=log))
    _wait_for(lambda: "--address='" in log.read_text(encoding="utf-8"))
    return log.read_text(encoding="utf-8").partition("--address='")[2].partition("'")[0]


@contextlib.contextmanager
def _running(module: str, *words: str, log: Path) -> Iterator[None]:
    with log.open("w") as stream:
        process = subprocess.Popen([sys.executable, "-m", module, *words], stdout=stream, stderr=stream)
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=60)


def _wait_for(is_true: Any) -> None:
    deadline = time.monotonic() + 120
    while not is_true():
        if time.monotonic() > deadline:
            raise TimeoutError("the cluster did not start within 120 s")
        time.sleep(0.05)


def _report(event: str) -> None:
    print(event, flush=True)
    sys.stdin.readline()  # the sampler has read the processor time


def measure(name: str, folder: Path, digest: str, part_rows: int) -> tuple[float, ...]:
    """Return wall and processor time of the start and of the job, in seconds, and the peak memory in megabytes."""
    started = time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [sys.executable, __file__, "--engine", name, "--folder", str(folder)]
    words += ["--package", digest, "--part-rows", str(part_rows)]
    with subprocess.Popen(words, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        sampler = TreeSampler(process.pid)
        times: list[tuple[float, float]] = []
        try:
            for line in process.stdout:
                if line.strip() in ("ready", "done"):
                    times.append((time.perf_counter() - started, sampler.cpu_s()))
                    process.stdin.write("\n")
                    process.stdin.flush()
        finally:
            sampler.stop()
    if len(times) < 2:
        raise SystemExit(f"{name}: the engine ended early; see its logs in {folder}")
    (ready_s, ready_cpu_s), (done_s, done_cpu_s) = times
    return ready_s, ready_cpu_s, done_s - ready_s, done_cpu_s - ready_cpu_s, sampler.peak_mb


def digests(folder: Path, name: str) -> list[str]:
    """Return the digests of the files that the manifest of an engine lists, in the order of the parts."""
    manifest = json.loads((folder / f"out-{name.replace(' ', '-')}/_manifest.json").read_bytes())
    return [file["sha256"] for part in manifest["parts"] for file in part["files"]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--parts", type=int, default=16)
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--engine", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--package", help=argparse.SUPPRESS)
    parser.add_argument("--part-rows", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.engine:
        run_engine(args.engine, args.folder, args.package, args.part_rows)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = make_package(folder)
        part_rows = -(-args.rows // args.parts)
        group_rows = -(-part_rows // -(-part_rows // _MAX_GROUP_ROWS))  # whole groups fill a part
        features = list(model.package.schema.feature_names)
        write_rows(folder, model.train[features], args.rows, group_rows=group_rows)
        print(f"{args.rows:,} rows, {args.parts} parts; load {os.getloadavg()[0]:.1f}")
        print(f"{'engine':10} {'start':>8} {'CPU':>8} {'job':>8} {'CPU':>8} {'all CPU':>8} {'peak PSS':>9}  same bytes")
        expected: list[str] | None = None
        for engine in args.engines.split(","):
            start_s, start_cpu_s, job_s, job_cpu_s, peak_mb = measure(engine, folder, model.package.digest, part_rows)
            found = None if engine == "one file" else digests(folder, engine)
            expected = expected or found
            same = "" if found is None else "yes" if found == expected else "NO"
            print(
                f"{engine:10} {start_s:7.1f}s {start_cpu_s:7.1f}s {job_s:7.1f}s {job_cpu_s:7.1f}s"
                f" {start_cpu_s + job_cpu_s:7.1f}s {peak_mb:6.0f} MB  {same}",
                flush=True,
            )


if __name__ == "__main__":
    main()
