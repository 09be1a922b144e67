"""Error rates of the trial's interval, and the outcomes that it needs, on differences of real models.

Run it with `python benchmarks/trial_error_rates.py`. Two tables of trials without any gain are looked at each hour for
30 days: at most 5 % may be decided. The third has trials with a gain of 0.005: 80 % must be decided within 13,000
outcomes.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import scipy.stats

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from pipeline.config.composition import compose  # noqa: E402 - needs the path above
from pipeline.config.config_loader import build_config  # noqa: E402 - needs the path above
from pipeline.data.sources import fetch_rows  # noqa: E402 - needs the path above
from pipeline.metrics.labeled_predictions import LabeledPredictions  # noqa: E402 - needs the path above
from pipeline.modeling.classifier import predicted_codes  # noqa: E402 - needs the path above
from pipeline.modeling.training import train_classifier  # noqa: E402 - needs the path above
from pipeline.schema import Schema  # noqa: E402 - needs the path above
from pipeline.trials.confidence_sequence import mixture_radius  # noqa: E402 - needs the path above

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["Looks", "null_error_rates", "share_won_within"]

N_HOURS = 720
ROWS_PER_HOUR = 100
N_LEARNED_ROWS = 8_000
ALPHA, TARGET, MIN_HOURS, MIN_OUTCOMES = 0.05, 100, 48, 500
CORRELATIONS = (0.0, 0.005, 0.02, 0.05)
GAINS = (0.002, 0.005, 0.01, 0.02)
BAR_DEVIATION = 0.152  # of the pair that the bar of 13,000 outcomes was set for; outcomes grow with its square
_MODELS = {
    "boosting": ("model=hist_gradient_boosting",),
    "small boosting": ("model=hist_gradient_boosting", "model.estimator.max_iter=60"),
    "logistic": ("model=logistic_regression",),
}


@dataclass(frozen=True, slots=True)
class Looks:
    """Shares of trials that an interval decides wrongly at any look, by rule."""

    t_interval: float
    by_row: float
    by_hour: float
    one_look: float


def null_error_rates(
    pool: Floats, *, n_trials: int, rng: np.random.Generator, correlation: float = 0.0, n_hours: int = N_HOURS
) -> Looks:
    """Return the error rates on differences that are drawn from a pool without mean.

    Parameters
    ----------
    pool : float, shape (n,)
        Differences; their mean is removed.
    n_trials : int
    rng : Generator
    correlation : float
        Correlation of the rows of one hour.
    n_hours : int
        Number of looks.
    """
    wrong = np.zeros((n_trials, 4), dtype=bool)
    for i in range(n_trials):
        sums, squares = _draw_hours(pool - pool.mean(), n_hours, rng=rng, correlation=correlation)
        rows = np.arange(1, n_hours + 1) * ROWS_PER_HOUR
        by_row = np.abs(sums.cumsum() / rows), _deviations(sums.cumsum(), squares.cumsum(), rows)
        t_radius = scipy.stats.t.ppf(1 - ALPHA / 2, rows - 1) * by_row[1] / np.sqrt(rows)
        is_late = rows >= MIN_OUTCOMES
        wrong[i] = (
            (by_row[0] > t_radius)[is_late].any(),
            (by_row[0] > _radii(rows, by_row[1], target=TARGET * ROWS_PER_HOUR))[is_late].any(),
            is_decided(sums).any(),
            (by_row[0] > t_radius)[-1],
        )
    return Looks(*wrong.mean(axis=0).tolist())


def is_decided(sums: Floats) -> NDArray[np.bool_]:
    """Return whether the interval by hours excludes 0 at each look, from the floors on."""
    counts = np.arange(1, len(sums) + 1)
    deviations = _deviations(sums.cumsum(), (sums**2).cumsum(), counts)
    is_beyond = np.abs(sums.cumsum() / counts) > _radii(counts, deviations, target=TARGET)
    return np.asarray(is_beyond & (counts >= MIN_HOURS) & (counts * ROWS_PER_HOUR >= MIN_OUTCOMES))


def share_won_within(
    pool: Floats, gain: float, *, n_trials: int, rng: np.random.Generator, n_hours: int = N_HOURS
) -> tuple[float, float, float]:
    """Return the share that won, and the median and the 80th percentile of the outcomes that it took."""
    centered = pool - pool.mean() + gain
    needed = np.full(n_trials, np.inf)
    for i in range(n_trials):
        sums, _ = _draw_hours(centered, n_hours, rng=rng, correlation=0.0)
        decided = np.flatnonzero(is_decided(sums))
        if len(decided) and sums[: decided[0] + 1].sum() > 0:
            needed[i] = (decided[0] + 1) * ROWS_PER_HOUR
    quantiles = np.sort(needed)[[n_trials // 2, int(0.8 * n_trials)]]
    return float(np.isfinite(needed).mean()), float(quantiles[0]), float(quantiles[1])


def _draw_hours(pool: Floats, n_hours: int, *, rng: np.random.Generator, correlation: float) -> tuple[Floats, Floats]:
    """Return sums and sums of squares of each hour; rows of an hour share a part of their difference."""
    rows = pool[rng.integers(len(pool), size=(n_hours, ROWS_PER_HOUR))]
    if correlation:
        shared = rng.normal(0.0, pool.std(), (n_hours, 1))
        mean = pool.mean()
        rows = mean + np.sqrt(1 - correlation) * (rows - mean) + np.sqrt(correlation) * shared
    return rows.sum(axis=1), (rows**2).sum(axis=1)


def _deviations(sums: Floats, squares: Floats, n: NDArray[np.int64]) -> Floats:
    return np.asarray(np.sqrt(np.maximum(squares - sums**2 / n, 0.0) / np.maximum(n - 1, 1)))


def _radii(n: NDArray[np.int64], deviations: Floats, *, target: int) -> Floats:
    unit = [mixture_radius(k, deviation=1.0, alpha=ALPHA, target=target) for k in n.tolist()]
    return np.asarray(unit) * deviations


def real_differences() -> dict[str, Floats]:
    """Return differences of models of the default problem on rows that neither learned from, by name."""
    scored = {name: _score(overrides) for name, overrides in _MODELS.items()}
    boosting, small, logistic = (scored[name] for name in _MODELS)
    return {
        "log loss, boosting / logistic": _log_losses(logistic) - _log_losses(boosting),
        "log loss, two boostings": _log_losses(small) - _log_losses(boosting),
        "Brier, boosting / logistic": _brier(logistic) - _brier(boosting),
        "accuracy, boosting / logistic": _errors(logistic) - _errors(boosting),
    }


def _score(overrides: tuple[str, ...]) -> LabeledPredictions:
    config = build_config(compose((*overrides, "training.folds=2"), conf=ROOT / "conf").values, where="conf")
    schema = Schema.from_config(config.data)
    frame = fetch_rows(config.data, root=ROOT).frame.sample(frac=1.0, random_state=0)
    train, rest = frame.iloc[:N_LEARNED_ROWS], frame.iloc[N_LEARNED_ROWS:]
    classifier = train_classifier(
        train, schema, config.features, model=config.model, training=config.training, seed=config.seed
    ).classifier
    return _labeled(rest, schema, classifier.predict_proba(rest), classifier.threshold)


def _labeled(rows: pd.DataFrame, schema: Schema, shares: Floats, threshold: float | None) -> LabeledPredictions:
    target = schema.target
    codes = np.array([target.classes.index(str(label)) for label in rows[target.column]])
    positive = None if target.positive is None else target.classes.index(target.positive)
    return LabeledPredictions(codes, shares, predicted_codes(shares, target, threshold), positive)


def _log_losses(scored: LabeledPredictions) -> Floats:
    return scored.of_true_class(scored.log_losses)


def _brier(scored: LabeledPredictions) -> Floats:
    return scored.of_true_class(np.broadcast_to(scored.squared_errors, scored.probabilities.shape))


def _errors(scored: LabeledPredictions) -> Floats:
    return (scored.predicted != scored.y).astype(np.float64)


def main() -> None:
    """Print the three tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1_000)
    n_trials, rng = parser.parse_args().trials, np.random.default_rng(1)
    pools = real_differences()
    unlike = pools["log loss, boosting / logistic"]
    print(f"{n_trials} trials without gain, {N_HOURS} looks of {ROWS_PER_HOUR} outcomes; bar: by hour at most 0.05")
    print(f"{'differences':32} {'deviation':>9} {'t, each look':>12} {'by row':>7} {'by hour':>8} {'one look':>9}")
    for name, pool in pools.items():
        looks = null_error_rates(pool, n_trials=n_trials, rng=rng)
        print(f"{name:32} {pool.std():9.4f} {_cells(looks)}")
    print("\nrows of an hour that go together (log loss, boosting / logistic)")
    for correlation in CORRELATIONS:
        looks = null_error_rates(unlike, n_trials=n_trials, rng=rng, correlation=correlation)
        print(f"{f'correlation {correlation:g}':32} {unlike.std():9.4f} {_cells(looks)}")
    print("\ntrials with a gain, by hour; bar: at a deviation of 0.152 and 0.005, 80 % within 13,000 outcomes")
    print(f"{'differences':32} {'gain':>6} {'won':>6} {'median':>8} {'80 %':>8}")
    scaled = {f"the first, scaled to {BAR_DEVIATION}": unlike * BAR_DEVIATION / unlike.std()}
    for name, pool in {**dict(list(pools.items())[:2]), **scaled}.items():
        for gain in GAINS:
            won, median, most = share_won_within(pool, gain, n_trials=n_trials, rng=rng)
            print(f"{name:32} {gain:6g} {won:6.3f} {median:8,.0f} {most:8,.0f}")


def _cells(looks: Looks) -> str:
    return f"{looks.t_interval:12.3f} {looks.by_row:7.3f} {looks.by_hour:8.3f} {looks.one_look:9.3f}"


if __name__ == "__main__":
    main()
