"""Measure the encoding of texts, words, dates and numbers: `python benchmarks/encoding_speed.py`."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.config.composition import compose
from pipeline.config.config_loader import build_config
from pipeline.modeling.encoding import Encoder, FormOptions
from pipeline.schema import Column

if TYPE_CHECKING:
    from collections.abc import Sequence

_N_ROWS, _N_SINGLE = 5_000, 300
_DTYPES = {"text": "string", "datetime": "datetime64[us]", "float": "Float64"}


def _train_values() -> dict[tuple[str, str], Sequence[Any]]:
    """Return values by kind and method of their column."""
    rng = np.random.default_rng(0)
    letters = list("abcdefghijklmnopqrstuvwxyz")
    vocabulary = ["".join(rng.choice(letters, rng.integers(2, 9))) for _ in range(3_000)]
    texts = [" ".join(rng.choice(vocabulary, rng.integers(5, 60))) for _ in range(_N_ROWS)]
    words = rng.choice(vocabulary[:400], _N_ROWS).tolist()
    dates = (np.datetime64("2020-01-01") + rng.integers(0, 1_500, _N_ROWS)).astype(str).tolist()
    numbers = rng.lognormal(0, 2, _N_ROWS).tolist()
    return {
        ("text", "text"): texts,
        ("text", "words"): words,
        ("datetime", "parts"): dates,
        ("float", "log"): numbers,
        ("float", "plain"): numbers,
    }


def main() -> None:
    """Print one line for each method."""
    features = build_config(compose(()).values, where="conf").features
    classes = np.arange(_N_ROWS) % 2
    print(f"{'method':8} {'fit':>9} {'5,000 rows':>11} {'one row':>10} {'package':>10}")
    for (kind, method), values in _train_values().items():
        column = Column("x", kind, _DTYPES[kind], encode={"method": method})  # type: ignore[arg-type] - a kind
        started = time.perf_counter()
        encoder = Encoder([column], features=features, form=FormOptions()).fit({"x": values}, classes)
        fitted = time.perf_counter()
        encoder.transform({"x": values})
        encoded = time.perf_counter()
        singles = []
        for value in values[:_N_SINGLE]:
            start = time.perf_counter()
            encoder.transform({"x": [value]})
            singles.append(time.perf_counter() - start)
        n_bytes = len(json.dumps(encoder.as_dict()))
        print(
            f"{method:8} {fitted - started:7.2f} s {1e3 * (encoded - fitted):8.1f} ms"
            f" {1e6 * float(np.median(singles)):7.0f} us {n_bytes / 1e3:7.0f} kB"
        )


if __name__ == "__main__":
    main()
