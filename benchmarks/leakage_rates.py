"""Simulate how often honest columns are taken for leaks, and how often leaks are found.

    python benchmarks/leakage_rates.py [--rounds 200]

Each cell is a share of columns: of honest ones that are flagged, of leaks that are missed.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pipeline.config.composition import compose
from pipeline.config.config_loader import build_config
from pipeline.schema import Column, Schema, Target
from pipeline.validation.arrow_rows import open_rows
from pipeline.validation.dataset_stats import collect_stats
from pipeline.validation.leakage import detect_leakage

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Maker = Callable[[np.random.Generator, NDArray[np.bool_]], Any]

SIZES = ((150, 0.5), (600, 0.5), (600, 0.1), (6_000, 0.01), (20_000, 0.26))


def _gaps(values: Floats, is_missing: NDArray[np.bool_]) -> pd.Series:
    return pd.Series(values).mask(is_missing)


HONEST: dict[str, Maker] = {
    "noise": lambda rng, yes: rng.normal(size=len(yes)),
    "noise with gaps": lambda rng, yes: _gaps(rng.normal(size=len(yes)), rng.random(len(yes)) < 0.7),
    "gaps 85 % against 15 %": lambda rng, yes: _gaps(
        rng.normal(size=len(yes)), rng.random(len(yes)) < np.where(yes, 0.15, 0.85)
    ),
    "gaps of one class only, 5 %": lambda rng, yes: _gaps(
        rng.normal(size=len(yes)), yes & (rng.random(len(yes)) < 0.05)
    ),
    "right for 96.9 %": lambda rng, yes: np.where(rng.random(len(yes)) < 0.969, yes, ~yes).astype(float),
    "two deviations apart": lambda rng, yes: rng.normal(size=len(yes)) + 2.0 * yes,
    "three deviations apart": lambda rng, yes: rng.normal(size=len(yes)) + 3.0 * yes,
}
LEAKS: dict[str, Maker] = {
    "copy": lambda rng, yes: yes.astype(float),  # noqa: ARG005 - the signature of a maker
    "filled in afterwards": lambda rng, yes: _gaps(rng.normal(size=len(yes)), ~yes),
    "filled in afterwards, 2 % noise": lambda rng, yes: _gaps(
        rng.normal(size=len(yes)), np.where(rng.random(len(yes)) < 0.02, yes, ~yes)
    ),
    "score afterwards": lambda rng, yes: np.where(yes, 0.97, 0.03) + rng.normal(0, 0.01, len(yes)),
    "zero before": lambda rng, yes: np.where(yes, rng.random(len(yes)) + 0.01, 0.0),
}


def share_flagged(make: Maker, n: int, share: float, *, rounds: int) -> float:
    """Return the share of simulated columns that count as a leak."""
    config = build_config(compose().values, where="conf").validation.leakage
    schema = Schema("made", (Column("hint", "float", "Float64", nullable=True),), Target("y", ("no", "yes"), "yes"))
    n_flagged = 0
    for seed in range(rounds):
        rng = np.random.default_rng(seed)
        yes = rng.random(n) < share
        frame = pd.DataFrame({"hint": make(rng, yes), "y": np.where(yes, "yes", "no")})
        leak = detect_leakage(collect_stats(open_rows(frame, schema), schema).column("hint"), config)
        n_flagged += leak is not None and leak.evidence != "values"
    return n_flagged / rounds


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    rounds = parser.parse_args().rounds
    for title, makers in (("honest, flagged", HONEST), ("leak, missed", LEAKS)):
        print(f"| {title} | {' | '.join(f'{n:,} rows, {share:g}' for n, share in SIZES)} |")
        print(f"|---|{'---|' * len(SIZES)}")
        for name, make in makers.items():
            flagged = [share_flagged(make, n, share, rounds=rounds) for n, share in SIZES]
            shown = flagged if makers is HONEST else [1 - value for value in flagged]
            print(f"| {name} | {' | '.join(f'{value:.3f}' for value in shown)} |", flush=True)


if __name__ == "__main__":
    main()
