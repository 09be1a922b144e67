"""How often do drift rules cry wolf, and what do they miss? Ours beside the usual defaults, on columns of known truth.

Windows are drawn as counts: the bins of a reference have known shares under a distribution, so a million rows cost as
much as two hundred, and nothing is approximated by it.
"""

from __future__ import annotations

import argparse
import functools
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402 - needs the path above
import pandas as pd  # noqa: E402 - needs the path above
from scipy.special import chdtrc, kolmogorov, ndtr  # noqa: E402 - needs the path above

from benchmarks import drift_shapes  # noqa: E402 - needs the path above
from pipeline.config.composition import compose  # noqa: E402 - needs the path above
from pipeline.config.config_loader import build_config  # noqa: E402 - needs the path above
from pipeline.monitoring import BinCounts, DriftContext, detect_drift, reference_counts  # noqa: E402 - needs the path
from pipeline.monitoring.drift import drift_statistics  # noqa: E402 - needs the path above
from pipeline.package.reference import build_reference  # noqa: E402 - needs the path above
from pipeline.schema import Column, Schema, Target  # noqa: E402 - needs the path above

if TYPE_CHECKING:
    from benchmarks.drift_shapes import Store
    from pipeline.config.groups.drift_config import DriftConfig
    from pipeline.package import Bins, Reference

N_REFERENCE = 18_524
MISSING_SHARE = 0.05
CATEGORY_SHARES = {"plan": (0.6, 0.3, 0.1), "region": (0.4, 0.3, 0.2, 0.07, 0.03)}
NUMERIC_FEATURES = ("income", "spent", "age", "visits", "friends")
INTEGER_DEVIATIONS = {"age": 12.0, "visits": 3.0, "friends": 2.0}  # standard deviation; the others are not rounded
WINDOW_SIZES = (200, 500, 1_000, 2_000, 10_000, 100_000, 1_000_000)
SHAPE_WINDOWS = ((200, 18_524), (1_000, 18_524), (5_000, 18_524), (50_000, 18_524), (1_000, 1_000), (5_000, 500))
BAR_FALSE, BAR_FOUND = 0.05, 0.95


def make_schema() -> Schema:
    numbers = tuple(
        Column(
            name,
            "integer" if name in INTEGER_DEVIATIONS else "float",
            "Int64" if name in INTEGER_DEVIATIONS else "Float64",
            nullable=True,
        )
        for name in NUMERIC_FEATURES
    )
    words = tuple(
        Column(name, "category", "category", nullable=True, categories=tuple(f"{name} {i}" for i in range(len(shares))))
        for name, shares in CATEGORY_SHARES.items()
    )
    return Schema("known", numbers + words, Target("y", ("no", "yes"), "yes"))


def draw_reference(rng: np.random.Generator, n: int = N_REFERENCE) -> Reference:
    """Return the reference of rows drawn from the truth."""
    columns: dict[str, pd.Series] = {}
    for name in NUMERIC_FEATURES:
        numbers = rng.normal(size=n)
        if name in INTEGER_DEVIATIONS:
            numbers = np.round(numbers * INTEGER_DEVIATIONS[name])
        numbers[rng.random(n) < MISSING_SHARE] = np.nan
        columns[name] = pd.Series(numbers)
    for name, shares in CATEGORY_SHARES.items():
        words = np.array([f"{name} {i}" for i in range(len(shares))], dtype=object)[
            rng.choice(len(shares), n, p=shares)
        ]
        words[rng.random(n) < MISSING_SHARE] = None
        columns[name] = pd.Series(words)
    predicted = np.full(n, "no")
    return build_reference(pd.DataFrame(columns), make_schema(), score=rng.random(n), predicted=predicted, n_bins=10)


def bin_shares(bins: Bins, shift: float, missing: float = MISSING_SHARE) -> np.ndarray:
    """Return the true share of each finest bin of a column that moved by `shift` standard deviations."""
    if bins.kind == "words":
        shares = np.array(CATEGORY_SHARES[bins.name])
        return np.concatenate([shares * (1 - missing), [0.0, missing]])
    scale = INTEGER_DEVIATIONS.get(bins.name)
    finest = bins.finest
    points = np.array(finest.points)
    if finest.kind == "values":
        reach = ndtr((np.concatenate([points - 0.5, [points[-1] + 0.5]])) / scale - shift)
        present = np.concatenate([np.diff(reach), [reach[0], 1 - reach[-1], 0.0]])
    else:
        edges = points if scale is None else (np.floor(points) + 0.5) / scale
        reach = ndtr(edges - shift)
        if scale is not None:  # the first bin holds the lowest whole number too
            reach[0] = ndtr((points[0] - 0.5) / scale - shift)
        present = np.concatenate([np.diff(reach), [reach[0], 1 - reach[-1]]])
    return np.append(present * (1 - missing), missing)


def draw_window(
    reference: Reference, n: int, rng: np.random.Generator, *, shift: float = 0.0, column: str = "income"
) -> BinCounts:
    """Return a window of `n` rows in which one column is shifted."""
    counts = {}
    for bins in reference.columns:
        shares = bin_shares(bins, shift if bins.name == column else 0.0)
        counts[bins.name] = rng.multinomial(n, shares / shares.sum())
    return BinCounts(n, counts)


@functools.cache
def drift_config() -> DriftConfig:
    return build_config(compose([], conf=ROOT / "conf").values, where="conf").drift


def engine_rule(reference: Reference, window: BinCounts) -> set[str]:
    return set(detect_drift(reference, window, DriftContext(drift_config(), min_rows=200)).drifted_columns)


def psi_above_0_1(reference: Reference, window: BinCounts) -> set[str]:
    before = reference_counts(reference).features
    return {
        bins.name
        for bins in reference.columns
        if drift_statistics.psi(bins.coarsen(before[bins.name]), bins.coarsen(window.features[bins.name])) > 0.1
    }


def wasserstein_above_0_1(reference: Reference, window: BinCounts) -> set[str]:
    before, drifted = reference_counts(reference).features, set()
    for bins in reference.columns:
        if bins.kind == "words":
            distance = drift_statistics.jensen_shannon(
                before[bins.name].astype(float), window.features[bins.name].astype(float)
            )
            drifted |= {bins.name} if distance > 0.1 else set()
            continue
        both = drift_statistics.cumulative_shares(bins, before[bins.name], window.features[bins.name])
        drifted |= {bins.name} if both and drift_statistics.wasserstein(both) / (bins.deviation or 1) > 0.1 else set()
    return drifted


def p_value_below_0_05(reference: Reference, window: BinCounts) -> set[str]:
    before, drifted = reference_counts(reference).features, set()
    for bins in reference.columns:
        counts = before[bins.name], window.features[bins.name]
        if bins.kind == "words":
            present = [side[:-1] for side in counts]
            freedom = int(((present[0] + present[1]) > 0).sum()) - 1
            p_value = float(chdtrc(freedom, drift_statistics.chi_squared(*present)))
        else:
            both = drift_statistics.cumulative_shares(bins, *counts)
            root = np.sqrt(both.n_reference * both.n_current / (both.n_reference + both.n_current)) if both else 0.0
            p_value = float(kolmogorov(root * drift_statistics.kolmogorov_smirnov(both))) if both else 1.0
        drifted |= {bins.name} if p_value < 0.05 else set()
    return drifted


RULES = {
    "engine": engine_rule,
    "PSI above 0.1, ten reference quantiles": psi_above_0_1,
    "Wasserstein (numbers), Jensen-Shannon (words) above 0.1": wasserstein_above_0_1,
    "p below 0.05, column by column": p_value_below_0_05,
}


@dataclass(frozen=True)
class DriftCase:
    """A shift of `column` and the expected result: a rule raises it or not."""

    n: int
    shift: float
    is_drifted: bool
    column: str = "income"


CASES = (
    *(DriftCase(n, 0.0, is_drifted=False) for n in WINDOW_SIZES),
    DriftCase(1_000_000, 0.01, is_drifted=False),
    DriftCase(1_000, 0.3, is_drifted=True),
    DriftCase(2_000, 0.2, is_drifted=True),
    DriftCase(10_000, 0.3, is_drifted=True),
)


def detection_rates(case: DriftCase, rounds: int, seed: int, rules: tuple[str, ...] = tuple(RULES)) -> dict[str, float]:
    """Return by rule the share of draws with drift: of the shifted column where drift is expected, otherwise of any."""
    rng = np.random.default_rng(seed)
    raised = dict.fromkeys(rules, 0)
    per_reference = 10
    for round_ in range(rounds):
        if round_ % per_reference == 0:
            reference = draw_reference(rng)
        window = draw_window(reference, case.n, rng, shift=case.shift, column=case.column)
        for rule in rules:
            drifted = RULES[rule](reference, window)
            raised[rule] += case.column in drifted if case.is_drifted else bool(drifted)
    return {rule: n / rounds for rule, n in raised.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=int(os.environ.get("ROUNDS", "200")), help="draws for each line")
    parser.add_argument("--store", choices=("full", "bin"), default="full", help="how the log stores the shapes")
    arguments = parser.parse_args()
    started = time.perf_counter()
    print(
        f"{arguments.rounds} draws a line; seven columns;"
        f" targets: at most {BAR_FALSE:.0%} raised, at least {BAR_FOUND:.0%} found"
    )
    print(f"{'rows':>9} {'shift':>6}  " + "  ".join(f"{rule[:24]:>24}" for rule in RULES))
    for number, case in enumerate(CASES):
        rates = detection_rates(case, arguments.rounds, seed=number)
        verdict = rates["engine"] >= BAR_FOUND if case.is_drifted else rates["engine"] <= BAR_FALSE
        row = "  ".join(f"{share:24.1%}" for share in rates.values())
        print(f"{case.n:9,} {case.shift:6.2f}  {row}  {'met' if verdict else 'MISSED'}", flush=True)
    print_shapes(arguments.rounds, arguments.store)
    print(f"{time.perf_counter() - started:.0f} s")


def print_shapes(rounds: int, store: Store) -> None:
    """Print the power of the engine's rule for each shape, and its false alarms over all shapes together."""
    context = DriftContext(drift_config(), min_rows=200)
    for number, shape in enumerate(drift_shapes.SHAPES):
        share = drift_shapes.power_of(shape, rounds, number, context, store=store)
        verdict = "met" if share >= BAR_FOUND else "MISSED"
        print(f"{shape.n_rows:9,}  {shape.name:18} {shape.change:30} {share:6.1%}  {verdict}", flush=True)
    for n, n_reference in SHAPE_WINDOWS:
        share = drift_shapes.false_alarm_rate(n, rounds, n, context, n_reference=n_reference, store=store)
        verdict = "met" if share <= BAR_FALSE else "MISSED"
        print(
            f"{n:9,}  no change, {len(drift_shapes.SHAPES)} columns, {n_reference:,} {share:6.1%}  {verdict}",
            flush=True,
        )


if __name__ == "__main__":
    main()
