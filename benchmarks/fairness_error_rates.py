"""Simulate how often equal groups fail, and how often a planted difference is found.

    python benchmarks/fairness_error_rates.py [--draws 2000]

One group has 3,000 rows, the others n. The selection rate is 0.26 in all groups, or 0.6 times that in the last one.
Each cell is a share of tables in which a group fails: by the 80% rule on the estimates, by the interval rule of
`fairness_error` without a smallest size, with the shipped settings, and with all four metrics of the shipped settings.
The bars are: equal groups fail with the shipped settings in at most 1%, and a ratio of 0.6 at n = 1,000 is found in at
least 90%. Exit code 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

import numpy as np

from pipeline.config.composition import compose
from pipeline.config.config_loader import build_config
from pipeline.fairness import GroupTallies, assess_fairness
from pipeline.schema import Target

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.config.groups.fairness_config import FairnessConfig

RATE, RATIO, LARGEST = 0.26, 0.6, 3_000
SIZES, N_GROUPS = (30, 100, 300, 1_000, 3_000), (2, 4, 8)
TARGET = Target("hired", ("no", "yes"), "yes")
HIT_RATE, FALSE_RATE = 0.85, 0.0525  # of positive and of other rows that are selected; together about 0.26


def configs() -> dict[str, FairnessConfig]:
    """Return the settings of each column of the table."""
    shipped = build_config(compose(()).values, where="conf").fairness
    selection = shipped.model_copy(update={"metrics": {"selection_rate": shipped.metrics["selection_rate"]}})
    return {
        "no smallest size": selection.model_copy(update={"min_rows": 1}),
        "shipped": selection,
        "all metrics": shipped,
    }


def draw(rng: np.random.Generator, sizes: NDArray[np.int64], ratio: float) -> GroupTallies:
    """Return tallies in which the last group is selected `ratio` times as often."""
    factor = np.ones(len(sizes))
    factor[-1] = ratio
    positive = rng.binomial(sizes, RATE)
    hits = rng.binomial(positive, HIT_RATE * factor)
    false = rng.binomial(sizes - positive, FALSE_RATE * factor)
    confusion = np.array([[sizes - positive - false, false], [positive - hits, hits]]).transpose(2, 0, 1)
    return GroupTallies(("group",), tuple(f"group {at}" for at in range(len(sizes))), confusion)


def violates_80_percent(tallies: GroupTallies) -> bool:
    """Return whether the smallest selection rate is below 0.8 times the largest one."""
    rates = tallies.confusion[:, :, 1].sum(axis=1) / tallies.n_rows
    return bool(rates.min() < 0.8 * rates.max())


def fails(tallies: GroupTallies, config: FairnessConfig, *, planted: bool) -> bool:
    """Return whether a group fails; with a planted difference, whether the last one does."""
    groups = assess_fairness([tallies], TARGET, config).columns[0].groups
    return groups[-1].verdict == "fail" if planted else any(group.verdict == "fail" for group in groups)


def main() -> int:
    """Print the table, and return 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=2_000)
    draws = parser.parse_args().draws
    settings, rng, is_met = configs(), np.random.default_rng(1), True
    names = ["80% rule", *settings]
    print(
        "groups  n      " + "".join(f"equal: {name:18}" for name in names) + "".join(f"0.6: {n:18}" for n in settings)
    )
    for n_groups in N_GROUPS:
        for n in SIZES:
            sizes = np.array([LARGEST, *[n] * (n_groups - 1)])
            equal = [draw(rng, sizes, 1.0) for _ in range(draws)]
            unequal = [draw(rng, sizes, RATIO) for _ in range(draws)]
            false = [float(np.mean([violates_80_percent(each) for each in equal]))]
            false += [float(np.mean([fails(each, one, planted=False) for each in equal])) for one in settings.values()]
            found = [float(np.mean([fails(each, one, planted=True) for each in unequal])) for one in settings.values()]
            is_met = is_met and false[2] <= 0.01 and false[3] <= 0.01 and (n != 1_000 or found[1] >= 0.9)
            cells = "".join(f"{share:<25.4f}" for share in false) + "".join(f"{share:<23.4f}" for share in found)
            print(f"{n_groups:<7} {n:<6} {cells}", flush=True)
    print("bars met" if is_met else "a bar is missed")
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
