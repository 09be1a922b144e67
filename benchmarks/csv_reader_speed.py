"""The strict reader against pandas.read_csv on clean files of a million rows, in one run.

Run it with `python benchmarks/csv_reader_speed.py`; the target is 3 times the time of pandas.
"""

from __future__ import annotations

import csv
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402 - needs the path above
import pandas as pd  # noqa: E402 - needs the path above

from pipeline.config.composition import compose  # noqa: E402 - needs the path above
from pipeline.config.config_loader import build_config  # noqa: E402 - needs the path above
from pipeline.config.groups.data_config import CsvDialect  # noqa: E402 - needs the path above
from pipeline.data.csv_reader import read_csv  # noqa: E402 - needs the path above
from pipeline.data.sources import fetch_rows  # noqa: E402 - needs the path above
from pipeline.schema import Column, Schema, Target  # noqa: E402 - needs the path above

if TYPE_CHECKING:
    from collections.abc import Callable

N_ROWS = 1_000_000
N_REPEATS = 7


def fastest_seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def compare_readers(what: str, frame: pd.DataFrame, schema: Schema, *, quoting: int = csv.QUOTE_MINIMAL) -> None:
    dialect = CsvDialect()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        frame.to_csv(path, index=False, quoting=quoting)
        # Turn by turn, so that both meet the same load; the fastest of each is what the machine can do.
        pairs = [
            (fastest_seconds(lambda: pd.read_csv(path)), fastest_seconds(lambda: read_csv(path, schema, dialect)))
            for _ in range(N_REPEATS)
        ]
        size = path.stat().st_size / 1e6
    pandas_s, engine_s = min(pair[0] for pair in pairs), min(pair[1] for pair in pairs)
    print(
        f"{what:<36} {size:4.0f} MB   pandas {pandas_s:.2f} s   engine {engine_s:.2f} s"
        f"   {engine_s / pandas_s:.2f} times"
    )


def main() -> None:
    composition = compose([f"data.source.rows={N_ROWS}"], conf=ROOT / "conf")
    data = build_config(composition.values, where="conf").data
    frame = fetch_rows(data, root=Path()).frame
    compare_readers("the default problem (target: 3 times)", frame, Schema.from_config(data))
    compare_readers("the same, everything in quotes", frame, Schema.from_config(data), quoting=csv.QUOTE_ALL)
    names = "abcdefgh"
    decimals = pd.DataFrame(np.random.default_rng(0).normal(size=(N_ROWS, len(names))), columns=list(names))
    columns = tuple(Column(name, "float", "Float64") for name in names)
    compare_readers(
        "long decimal numbers", decimals.assign(y="x"), Schema("long", columns, Target("y", ("x", "z"), "x"))
    )


if __name__ == "__main__":
    main()
