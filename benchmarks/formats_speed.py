"""`mlops data init` and ingest of a million rows in each format, and the reader of pandas on the same file.

Run it with `python benchmarks/formats_speed.py [ROWS]`. Each measurement is a process of its own; its memory is the
most that it had resident, less than what it had after its imports.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402 - needs the path above
import pandas as pd  # noqa: E402 - needs the path above
import pyarrow as pa  # noqa: E402 - needs the path above

from pipeline.cli.data_commands import app  # noqa: E402 - needs the path above
from pipeline.config.composition import compose  # noqa: E402 - needs the path above
from pipeline.config.config_loader import build_config  # noqa: E402 - needs the path above
from pipeline.data.sources import fetch_rows  # noqa: E402 - needs the path above
from tests.pipeline.data.formats.row_files import write_rows  # noqa: E402 - needs the path above

if TYPE_CHECKING:
    from collections.abc import Callable


def _read_duckdb(path: Path) -> object:
    import duckdb

    return duckdb.connect(str(path), read_only=True).sql("SELECT * FROM people").df()


N_ROWS = 1_000_000
PEERS: dict[str, Callable[[Path], object]] = {
    "rows.csv": pd.read_csv,
    "rows.csv.gz": pd.read_csv,
    "rows.csv.zst": lambda path: pd.read_csv(pa.input_stream(str(path), compression="zstd")),
    "rows.jsonl": lambda path: pd.read_json(path, lines=True),
    "rows.json": pd.read_json,
    "rows.parquet": pd.read_parquet,
    "rows.feather": pd.read_feather,
    "rows.xlsx": lambda path: pd.read_excel(path, engine="calamine"),
    "rows.sqlite": lambda path: pd.read_sql("SELECT * FROM people", f"sqlite:///{path}"),
    "rows.duckdb": _read_duckdb,
}


def make_rows(n_rows: int) -> list[dict[str, object]]:
    rng = np.random.default_rng(7)
    visits = rng.integers(0, 400, n_rows)
    frame = pd.DataFrame(
        {
            "customer": [f"C{number:07}" for number in range(n_rows)],
            "visits": visits,
            "spent": np.where(rng.random(n_rows) < 0.1, np.nan, rng.integers(0, 100_000, n_rows) / 100),
            "age": rng.integers(18, 90, n_rows),
            "plan": rng.choice(["basic", "plus", "pro"], n_rows),
            "joined": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 2000, n_rows), unit="D"),
            "churned": np.where(visits + rng.normal(0, 90, n_rows) > 200, "yes", "no"),
        }
    )
    columns = {name: frame[name].astype(object).where(frame[name].notna(), None).tolist() for name in frame}
    columns["joined"] = [moment.to_pydatetime() for moment in frame["joined"]]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def measure(name: str, folder: Path, work: str) -> tuple[float, float]:
    """Return the seconds and the megabytes of one measurement, made in a process of its own."""
    command = [sys.executable, __file__, "--measure", name, str(folder), work]
    seconds, megabytes = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return seconds, megabytes


def _measure_here(name: str, folder: Path, work: str) -> None:
    before = _peak_megabytes()
    started = time.perf_counter()
    if work == "pandas":
        PEERS[name](folder / "data/external" / name)
    elif work == "draft":
        with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
            words = ["init", f"data/external/{name}", "--target", "churned", "--name", "rows", "--replace"]
            app(words, standalone_mode=False)
    else:
        composition = compose(["data=rows"], conf=folder / "conf")
        config = build_config(composition.values, where="conf", origin=composition.origin)
        started = time.perf_counter()
        fetch_rows(config.data, root=folder)
    seconds = time.perf_counter() - started
    print(json.dumps([seconds, _peak_megabytes() - before]))


def _peak_megabytes() -> float:
    """Return the most memory that this process had resident; ru_maxrss would be that of the parent at least."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


def main() -> None:
    n_rows = int(sys.argv[1]) if len(sys.argv) > 1 else N_ROWS
    rows = make_rows(n_rows)
    print(f"{n_rows:,} rows of {len(rows[0])} columns: seconds, and megabytes of memory")
    print(f"{'file':<14}{'size MB':>8}{'init s':>8}{'ingest s':>9}{'MB':>7}{'pandas s':>9}{'MB':>7}{'times':>7}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        shutil.copytree(ROOT / "conf", folder / "conf")
        for name in PEERS:
            path = write_rows(folder / "data/external" / name, rows)
            draft, ingest, peer = (measure(name, folder, work) for work in ("draft", "ingest", "pandas"))
            print(
                f"{name:<14}{path.stat().st_size / 1e6:>8.1f}{draft[0]:>8.2f}{ingest[0]:>9.2f}{ingest[1]:>7.0f}"
                f"{peer[0]:>9.2f}{peer[1]:>7.0f}{ingest[0] / peer[0]:>7.2f}",
                flush=True,
            )
            path.unlink()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        _measure_here(sys.argv[2], Path(sys.argv[3]), sys.argv[4])
    else:
        main()
