"""How often does a 95 % interval hold the true value? Each metric, at the sizes of test parts and windows.

A model of the project is fitted to a part of the rows; the other rows are the population. Samples are drawn from it
with replacement, so the metric of the population is the true value. Command: `python benchmarks/coverage.py`, or with
`--rows FILE` on a CSV file of the problem's columns.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402 - needs the path above

from pipeline.config.composition import compose  # noqa: E402 - needs the path above
from pipeline.config.config_loader import build_config  # noqa: E402 - needs the path above
from pipeline.config.groups.data_config import CsvDialect  # noqa: E402 - needs the path above
from pipeline.data import sources  # noqa: E402 - needs the path above
from pipeline.data.csv_reader import read_csv  # noqa: E402 - needs the path above
from pipeline.metrics import (  # noqa: E402 - needs the path above
    METRICS,
    LabeledPredictions,
    MetricEstimate,
    compare_paired,
    compute_metrics,
    estimate_metrics,
)
from pipeline.modeling.baselines import BASELINES, fit_baseline  # noqa: E402 - needs the path above
from pipeline.modeling.classifier import encode_target  # noqa: E402 - needs the path above
from pipeline.modeling.scored_rows import make_scored_rows  # noqa: E402 - needs the path above
from pipeline.modeling.training import train_classifier  # noqa: E402 - needs the path above
from pipeline.monitoring import IntervalOptions, ScoreHistogram, calculate_realized_performance  # noqa: E402 - as above
from pipeline.schema import Schema  # noqa: E402 - needs the path above

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd

    from pipeline.modeling.classifier import Classifier

SIZES = (200, 1_000, 3_705)
N_TRAIN = 4_000
LEVEL = 0.95


@dataclass
class Coverage:
    """Intervals of one metric that were seen."""

    n_shown: int = 0
    n_covered: int = 0
    total_width: float = 0.0

    def add(self, estimate: MetricEstimate, truth: float) -> None:
        if estimate.low is None or estimate.high is None:
            return
        self.n_shown += 1
        self.n_covered += estimate.low <= truth <= estimate.high
        self.total_width += estimate.high - estimate.low

    @property
    def share(self) -> float:
        return self.n_covered / self.n_shown if self.n_shown else float("nan")

    def as_cell(self, n_draws: int) -> str:
        if not self.n_shown:
            return "not shown"
        shown = "" if self.n_shown == n_draws else f", shown in {self.n_shown / n_draws:.0%}"
        return f"{self.share:.1%} ({self.total_width / self.n_shown:.4f}{shown})"


def population(rows: Path | None) -> tuple[LabeledPredictions, dict[str, LabeledPredictions]]:
    """Return the rows that a model was not fitted to, scored by it and by each baseline."""
    config = build_config(compose(["data=personality"], conf=ROOT / "conf").values, where="conf")
    schema = Schema.from_config(config.data)
    frame = sources.fetch_rows(config.data, root=ROOT).frame if rows is None else read_declared_columns(rows, schema)
    frame = frame.sample(frac=1.0, random_state=1).reset_index(drop=True)
    train, rest = frame.iloc[:N_TRAIN], frame.iloc[N_TRAIN:]
    fitted = train_classifier(
        train, schema, config.features, model=config.model, training=config.training, seed=config.seed
    ).classifier
    codes = encode_target(rest, schema.target)

    def score(model: Classifier) -> LabeledPredictions:
        return make_scored_rows(schema.target, codes, model.predict_proba(rest), threshold=model.threshold)

    return score(fitted), {name: score(fit_baseline(name, train, schema, seed=config.seed)) for name in BASELINES}


def read_declared_columns(path: Path, schema: Schema) -> pd.DataFrame:
    """Return the rows of a CSV file, without the columns that the problem does not declare."""
    import pandas as pd

    declared = [*(column.name for column in schema.columns), schema.target.column]
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        pd.read_csv(path, usecols=declared, dtype=str).to_csv(copy, index=False)
        return read_csv(copy, schema, CsvDialect())


def coverage_of_metrics(
    scored: LabeledPredictions, names: Sequence[str], n_rows: int, *, n_draws: int, seed: int
) -> dict[str, Coverage]:
    """Return how often the intervals of the test report hold the metric of all rows."""
    truth, rng = compute_metrics(scored, names), np.random.default_rng([seed, n_rows])
    seen = {name: Coverage() for name in names}
    for _ in range(n_draws):
        sample = scored.take(rng.integers(0, scored.n_rows, n_rows))
        for name, estimate in estimate_metrics(sample, names, confidence_level=LEVEL).items():
            seen[name].add(estimate, truth[name])
    return seen


def coverage_of_differences(
    scored: LabeledPredictions,
    other: LabeledPredictions,
    names: Sequence[str],
    *,
    n_rows: int,
    n_draws: int,
    seed: int,
) -> dict[str, Coverage]:
    """Return how often the interval of a paired difference holds the difference on all rows."""
    value, against = compute_metrics(scored, names), compute_metrics(other, names)
    rng, seen = np.random.default_rng([seed, n_rows]), {name: Coverage() for name in names}
    for _ in range(n_draws):
        drawn = rng.integers(0, scored.n_rows, n_rows)
        differences = compare_paired(scored.take(drawn), other.take(drawn), names, confidence_level=LEVEL)
        for name, estimate in differences.items():
            seen[name].add(estimate, value[name] - against[name])
    return seen


def coverage_of_monitor(
    scored: LabeledPredictions, names: Sequence[str], n_rows: int, *, n_draws: int, seed: int
) -> dict[str, Coverage]:
    """Return how often the intervals of a window with outcomes hold the metric of all rows."""
    truth, rng = compute_metrics(scored, names), np.random.default_rng([seed, n_rows])
    seen = {name: Coverage() for name in names}
    intervals = IntervalOptions(confidence_level=LEVEL, bootstrap_samples=200, seed=0)
    for _ in range(n_draws):
        sample = scored.take(rng.integers(0, scored.n_rows, n_rows))
        histogram = ScoreHistogram.from_rows(
            sample.probabilities, sample.predicted, positive=sample.positive, outcomes=sample.y
        )
        window = calculate_realized_performance(histogram, names, n_rows=n_rows, intervals=intervals)
        for name, estimate in window.metrics.items():
            seen[name].add(estimate, truth[name])
    return seen


def with_drawn_outcomes(scored: LabeledPredictions, shift: float, seed: int) -> LabeledPredictions:
    """Return the rows with outcomes drawn from their probabilities, shifted by `shift` towards the middle."""
    score = scored.probabilities[:, 1]
    shifted = np.clip(score + shift * np.where(score < 0.5, 1.0, -1.0), 0.0, 1.0)
    y = (np.random.default_rng(seed).random(scored.n_rows) < shifted).astype(np.int64)
    return LabeledPredictions(y, scored.probabilities, scored.predicted, scored.positive, scored.n_bins)


def calibration_gate_rate(scored: LabeledPredictions, shift: float, n_rows: int, *, n_draws: int, seed: int) -> float:
    """Return how often the gate `limit ece` (0.01) rejects a model whose probabilities are wrong by `shift`."""
    from pipeline.gates import limit_result

    rng, n_rejected = np.random.default_rng([seed, n_rows]), 0
    for draw in range(n_draws):
        sample = with_drawn_outcomes(scored.take(rng.integers(0, scored.n_rows, n_rows)), shift, seed=draw)
        estimate = estimate_metrics(sample, ["ece"], confidence_level=LEVEL)["ece"]
        n_rejected += limit_result(METRICS["ece"], estimate, 0.01) == "fail"
    return n_rejected / n_draws


def table(head: str, cells: dict[int, dict[str, Coverage]], n_draws: int) -> Iterator[str]:
    yield f"| {head} | {' | '.join(f'{size:,} rows' for size in cells)} |"
    yield f"|---{'|---' * len(cells)}|"
    for name in next(iter(cells.values())):
        yield f"| {name} | {' | '.join(cell[name].as_cell(n_draws) for cell in cells.values())} |"
    yield ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=Path, help="CSV file of the columns of conf/data/personality.yaml")
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    scored, baselines = population(options.rows)
    names = list(METRICS)
    draws = {"n_draws": options.draws, "seed": options.seed}
    print(f"{options.draws} draws of a population of {scored.n_rows:,} rows: coverage (mean width)\n")
    tables = {
        "metric": {size: coverage_of_metrics(scored, names, size, **draws) for size in SIZES},
        **{
            f"difference to {name}": {
                size: coverage_of_differences(scored, other, names, n_rows=size, **draws) for size in SIZES
            }
            for name, other in baselines.items()
        },
        "metric of a window": {
            size: coverage_of_monitor(scored, [name for name in names if name != "ece"], size, **draws)
            for size in (200, 1_000)
        },
    }
    for head, cells in tables.items():
        print("\n".join(table(head, cells, options.draws)))
    print("| calibration error of the model | " + " | ".join(f"rejected at {size:,} rows" for size in SIZES) + " |")
    print("|---" * (1 + len(SIZES)) + "|")
    for shift in (0.0, 0.01, 0.02, 0.05):
        rates = [calibration_gate_rate(scored, shift, size, **draws) for size in SIZES]
        print(f"| {shift:g} | " + " | ".join(f"{rate:.1%}" for rate in rates) + " |")


if __name__ == "__main__":
    main()
