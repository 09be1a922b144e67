"""The strict reader against pandas.read_csv on a clean file of a million rows, in one run.

Run it with `python benchmarks/reader.py`; the bar is 3 times the time of pandas.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import pandas as pd  # noqa: E402 - needs the path above

from pipeline.config.compose import compose  # noqa: E402 - needs the path above
from pipeline.config.groups.data import CsvSource  # noqa: E402 - needs the path above
from pipeline.config.load import build  # noqa: E402 - needs the path above
from pipeline.data.reader import read_csv  # noqa: E402 - needs the path above
from pipeline.data.sources import fetch  # noqa: E402 - needs the path above
from pipeline.schema import Schema  # noqa: E402 - needs the path above

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = 1_000_000
REPEATS = 7


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    composition = compose([f"data.source.rows={ROWS}"], conf=ROOT / "conf")
    data = build(composition.values, where="conf").data
    schema, source = Schema.from_config(data), CsvSource(kind="csv", path="data/external/rows.csv")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        fetch(data, root=Path()).frame.to_csv(path, index=False)
        print(f"{path.stat().st_size / 1e6:.0f} MB, {ROWS:,} rows, {len(schema.columns) + 1} columns")
        # Turn by turn, so that both meet the same neighbours; the fastest of each is what the machine can do.
        pairs = [
            (seconds(lambda: pd.read_csv(path)), seconds(lambda: read_csv(path, schema, source)))
            for _ in range(REPEATS)
        ]
    ours, theirs = min(pair[1] for pair in pairs), min(pair[0] for pair in pairs)
    print(f"pandas.read_csv {theirs:.2f} s, strict reader {ours:.2f} s: {ours / theirs:.2f} times (bar: 3)")


if __name__ == "__main__":
    main()
