"""Compare derived columns with the same numpy by hand: `python benchmarks/derived_columns_speed.py`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from pipeline.expressions import DerivedColumns
from pipeline.schema import Column

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Columns = dict[str, NDArray[np.float64]]

_N_ROWS, _N_REPEATS, _N_SINGLE = 1_000_000, 7, 2_000


def _finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isinf(values), np.nan, values)


def _both(frame: Columns) -> NDArray[np.float64]:
    is_missing = np.isnan(frame["a"]) | np.isnan(frame["b"]) | np.isnan(frame["c"])
    return np.where(is_missing, np.nan, (frame["c"] == 2) & (frame["a"] > frame["b"]))


BY_HAND: dict[str, Callable[[Columns], NDArray[np.float64]]] = {
    "a / b": lambda frame: _finite(frame["a"] / frame["b"]),
    "a ** 2 + b ** 2": lambda frame: _finite(frame["a"] ** 2 + frame["b"] ** 2),
    "if(c > 2, log(abs(a)), b * 2)": lambda frame: np.where(
        frame["c"] > 2, _finite(np.log(np.abs(frame["a"]))), _finite(frame["b"] * 2)
    ),
    "c == 2 and a > b": _both,
}


def _best_seconds(call: Callable[[], object]) -> float:
    times = []
    for _ in range(_N_REPEATS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    """Print one line for each expression."""
    generator = np.random.default_rng(0)
    frame = {"a": generator.normal(size=_N_ROWS), "b": generator.normal(size=_N_ROWS)}
    frame["c"] = generator.integers(0, 5, _N_ROWS).astype(np.float64)
    row = {name: [float(values[0])] for name, values in frame.items()}
    columns = [Column(name, "float", "Float64") for name in frame]
    print(f"{'expression':32} {'1e6 rows':>10} {'numpy':>10} {'ratio':>6} {'one row':>10}")
    for text, by_hand in BY_HAND.items():
        derived = DerivedColumns.parse({"d": text}, columns)
        seconds = _best_seconds(lambda derived=derived: derived.compute(frame))
        with np.errstate(all="ignore"):
            numpy_seconds = _best_seconds(lambda by_hand=by_hand: by_hand(frame))
        start = time.perf_counter()
        for _ in range(_N_SINGLE):
            derived.compute(row)
        single_us = (time.perf_counter() - start) / _N_SINGLE * 1e6
        ratio = seconds / numpy_seconds
        print(f"{text:32} {seconds * 1e3:7.1f} ms {numpy_seconds * 1e3:7.1f} ms {ratio:6.2f} {single_us:7.1f} us")


if __name__ == "__main__":
    main()
