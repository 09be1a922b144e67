"""Simulate how often the canary guard stops a sound challenger, and how soon it stops a failing or slow one.

    python benchmarks/canary_stops.py [--runs 200]

A run is one day in which a challenger gets 50 requests an hour (1,200) and the champion 19 times as many. The guard
looks after each request of the challenger; durations are those of six hours.
"""

from __future__ import annotations

import argparse
from bisect import bisect_left
from typing import TYPE_CHECKING

import numpy as np

from pipeline.config.composition import compose
from pipeline.config.config_loader import build_config
from pipeline.metrics.canary_guard import DURATION_BOUNDS_S, VariantCounts, check_canary

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pipeline.config.groups.lifecycle_config import CanaryConfig

    Floats = NDArray[np.float64]

N_REQUESTS = 1_200
N_CHAMPION = 19  # requests of the champion for each of the challenger
_N_BINS = len(DURATION_BOUNDS_S) + 1
ERROR_RATES = (("0.1 %", 0.001, "<= 0.01"), ("0.5 %", 0.005, "<= 0.01"), ("1 %, the limit", 0.01, "<= 0.01"))
FAULTY_RATES = (("5 %", 0.05, 170), ("20 %", 0.2, 20), ("100 %", 1.0, 4))


def requests_until_error_stop(failures: NDArray[np.bool_], config: CanaryConfig) -> float:
    """Return the number of requests after which errors stop the challenger; infinity if they never do."""
    n_errors = np.cumsum(failures)
    for n in (np.flatnonzero(failures) + 1).tolist():
        counts = VariantCounts(n_requests=n, n_errors=int(n_errors[n - 1]))
        if check_canary(VariantCounts(), counts, config).must_stop:
            return float(n)
    return np.inf


def independent(rng: np.random.Generator, n: int) -> Floats:
    """Return durations around 4 ms with a heavy tail."""
    return np.asarray(0.004 * np.exp(rng.normal(size=n)))


def in_bursts(rng: np.random.Generator, n: int) -> Floats:
    """Return the same durations, of which about 2 % are ten times longer, 20 batches in a row."""
    is_busy = np.repeat(rng.random(n // 20 + 1) < 0.02, 20)[:n]
    return independent(rng, n) * np.where(is_busy, 10.0, 1.0)


def requests_until_slow_stop(durations: Floats, is_challenger: NDArray[np.bool_], config: CanaryConfig) -> float:
    """Return the number of requests of the challenger after which durations stop it; infinity if they never do."""
    bins = np.array([bisect_left(DURATION_BOUNDS_S, value) for value in durations.tolist()])
    counts = np.zeros((2, _N_BINS), dtype=np.int64)
    start = 0
    for end in (np.flatnonzero(is_challenger) + 1).tolist():
        part, which = bins[start:end], is_challenger[start:end].astype(int)
        np.add.at(counts, (which, part), 1)
        start = end
        champion, challenger = (VariantCounts(durations=tuple(row)) for row in counts.tolist())
        if check_canary(champion, challenger, config).must_stop:
            return float(counts[1].sum())
    return np.inf


def slow_runs(
    draw: Callable[[np.random.Generator, int], Floats],
    factor: float,
    added_s: float,
    *,
    runs: int,
    config: CanaryConfig,
) -> Floats:
    """Return the number of requests of the challenger until its stop in each run."""
    stops = []
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        n = N_REQUESTS // 4 * (N_CHAMPION + 1)
        is_challenger = rng.random(n) < 1 / (N_CHAMPION + 1)
        durations = draw(rng, n)
        durations[is_challenger] = durations[is_challenger] * factor + added_s
        stops.append(requests_until_slow_stop(durations, is_challenger, config))
    return np.array(stops)


def main() -> None:
    """Print one line for each kind of challenger: how many runs stopped it, and after how many of its requests."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    runs = parser.parse_args().runs
    config = build_config(compose().values, where="conf").lifecycle.canary
    print("| challenger | stopped | median requests until then | bar |\n|---|---|---|---|")

    def show(name: str, stops: Floats, bar: str) -> None:
        is_stopped = np.isfinite(stops)
        median = f"{np.median(stops[is_stopped]):.0f}" if is_stopped.any() else "-"
        print(f"| {name} | {is_stopped.mean():.3f} | {median} | {bar} |", flush=True)

    for name, rate, bar in ERROR_RATES:
        rng = np.random.default_rng(1)
        show(
            f"{name} errors",
            np.array([requests_until_error_stop(rng.random(N_REQUESTS) < rate, config) for _ in range(runs)]),
            f"stopped {bar}",
        )
    for name, rate, most in FAULTY_RATES:
        rng = np.random.default_rng(1)
        show(
            f"{name} errors",
            np.array([requests_until_error_stop(rng.random(N_REQUESTS) < rate, config) for _ in range(runs)]),
            f"after <= {most}",
        )
    for name, draw, factor, added_s, bar in (
        ("equal durations", independent, 1.0, 0.0, "stopped <= 0.01"),
        ("equal durations in bursts", in_bursts, 1.0, 0.0, "stopped <= 0.01"),
        ("twice the durations, the limit", independent, 2.0, 0.0, "stopped <= 0.01"),
        ("four times the durations", independent, 4.0, 0.0, "-"),
        ("100 ms more", independent, 1.0, 0.1, "after <= 20"),
    ):
        show(name, slow_runs(draw, factor, added_s, runs=runs, config=config), bar)


if __name__ == "__main__":
    main()
