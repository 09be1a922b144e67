"""The strict reader against pandas.read_csv with the same dialect on clean files of a million rows, in one run.

Run it with `python benchmarks/csv_reader_speed.py`; the target is 3 times the time of pandas.
"""

from __future__ import annotations

import csv
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
N_REPEATS = 5


def fastest_seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def compare_readers(
    what: str, text: str, schema: Schema, *, dialect: CsvDialect, pandas_arguments: dict[str, Any] | None = None
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        path.write_text(text, encoding=dialect.encoding, newline="")
        arguments = pandas_arguments or {}
        # Turn by turn, so that both meet the same load; the fastest of each is what the machine can do.
        pairs = [
            (
                fastest_seconds(lambda: pd.read_csv(path, **arguments)),
                fastest_seconds(lambda: read_csv(path, schema, dialect)),
            )
            for _ in range(N_REPEATS)
        ]
        size = path.stat().st_size / 1e6
    pandas_s, engine_s = min(pair[0] for pair in pairs), min(pair[1] for pair in pairs)
    print(
        f"{what:<36} {size:4.0f} MB   pandas {pandas_s:.2f} s   engine {engine_s:.2f} s"
        f"   {engine_s / pandas_s:.2f} times"
    )


def compare_default_problem() -> None:
    composition = compose([f"data.source.rows={N_ROWS}"], conf=ROOT / "conf")
    data = build_config(composition.values, where="conf").data
    frame, schema = fetch_rows(data, root=Path()).frame, Schema.from_config(data)
    compare_readers("the default problem", frame.to_csv(index=False), schema, dialect=CsvDialect())
    quoted = frame.to_csv(index=False, quoting=csv.QUOTE_ALL)
    compare_readers("the same, everything in quotes", quoted, schema, dialect=CsvDialect())
    padded = frame.to_csv(index=False).replace(",", ", ")
    compare_readers(
        "the same, a blank behind each comma",
        padded,
        schema,
        dialect=CsvDialect(padded=True),
        pandas_arguments={"skipinitialspace": True},
    )


def compare_numbers() -> None:
    names = "abcdefgh"
    decimals = pd.DataFrame(np.random.default_rng(0).normal(size=(N_ROWS, len(names))), columns=list(names))
    columns = tuple(Column(name, "float", "Float64") for name in names)
    schema = Schema("long", columns, Target("y", ("x", "z"), "x"))
    plain = decimals.assign(y="x").to_csv(index=False)
    compare_readers("long decimal numbers", plain, schema, dialect=CsvDialect())
    amounts = (decimals * 5000).map("{:,.2f}".format).assign(y="x").to_csv(index=False, sep=";")
    compare_readers(
        "semicolons, 1.234,56, cp1252",
        amounts.translate(str.maketrans(",.", ".,")),
        schema,
        dialect=CsvDialect(encoding="cp1252", delimiter=";", decimal=",", thousands="."),
        pandas_arguments={"encoding": "cp1252", "sep": ";", "decimal": ",", "thousands": "."},
    )


def compare_texts() -> None:
    words = np.array(["two\nlines", "a plain text", 'with "quotes"', "a, comma"])
    frame = pd.DataFrame(
        {"a": words[np.random.default_rng(0).integers(0, 4, N_ROWS)], "b": np.arange(N_ROWS), "y": "x"}
    )
    columns = (Column("a", "text", "string", role="ignore"), Column("b", "integer", "Int64"))
    schema = Schema("texts", columns, Target("y", ("x", "z"), "x"))
    compare_readers("line breaks in quotes", frame.to_csv(index=False), schema, dialect=CsvDialect(multiline=True))


def main() -> None:
    compare_default_problem()
    compare_numbers()
    compare_texts()


if __name__ == "__main__":
    main()
