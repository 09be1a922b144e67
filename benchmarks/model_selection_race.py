"""Fits that a race over folds saves, and what its choice and the paired one-standard-error rule lose on new rows.

Run it with `python benchmarks/model_selection_race.py`. The targets are at most 60 % of the fits, and a regret within
0.0005 of log loss against fitting everything.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from pipeline.config.composition import compose  # noqa: E402 - needs the path above
from pipeline.config.config_loader import build_config  # noqa: E402 - needs the path above
from pipeline.config.search_space import read_search_space  # noqa: E402 - needs the path above
from pipeline.data.sources import fetch_rows  # noqa: E402 - needs the path above
from pipeline.metrics.row_losses import row_losses_by_class  # noqa: E402 - needs the path above
from pipeline.modeling.classifier import encode_target  # noqa: E402 - needs the path above
from pipeline.modeling.classifier_fit import fit_classifier  # noqa: E402 - needs the path above
from pipeline.modeling.scored_rows import make_scored_rows  # noqa: E402 - needs the path above
from pipeline.selection.fold_race import find_leader, race_over_folds  # noqa: E402 - needs the path above
from pipeline.selection.fold_scores import FoldScores  # noqa: E402 - needs the path above
from pipeline.selection.selection_rule import choose_configuration  # noqa: E402 - needs the path above

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.config.root_config import Config

__all__ = ["RaceOutcome", "race_once"]

_SEARCHES = {"hist_gradient_boosting": 0.6, "logistic_regression": 0.2, "random_forest": 0.2}


@dataclass(frozen=True)
class RaceOutcome:
    """One search: the share of the fits, and losses on new rows above that of the truly best configuration."""

    fit_share: float
    full_best: float
    raced_best: float
    raced_rule: float


def race_once(n_rows: int, n_configurations: int, *, seed: int) -> RaceOutcome:
    """Return the outcome of one race on rows drawn with a seed."""
    configs = [
        config for name, share in _SEARCHES.items() for config in _configs(name, round(share * n_configurations))
    ]
    frame = fetch_rows(configs[0].data, root=ROOT).frame.sample(frac=1.0, random_state=seed)
    rows, unseen = frame.head(n_rows).reset_index(drop=True), frame.iloc[n_rows:].reset_index(drop=True)
    with tempfile.TemporaryDirectory() as folder:
        scores = FoldScores(configs, rows, [Path(folder) / str(number) for number in range(len(configs))])
        run = partial(race_over_folds, len(configs), configs[0].training.folds, losses=scores.losses, n_jobs=2)
        full = run(fit=scores.fit, max_distance=None)
        raced = run(fit=scores.fit, max_distance=2.0)
    truth = [_loss_on(config, rows, unseen) for config in configs]
    sizes = {number: scores.complexity(number) for number in range(len(configs))}
    regret = np.array(truth) - min(truth)
    return RaceOutcome(
        fit_share=raced.n_fits / full.n_fits,
        full_best=float(regret[find_leader(full.losses)]),
        raced_best=float(regret[find_leader(raced.losses)]),
        raced_rule=float(regret[choose_configuration(raced.losses, sizes, "one_standard_error")]),
    )


def _configs(search: str, n: int) -> list[Config]:
    space = read_search_space(search, conf=ROOT / "conf")
    drawn = type(space)(space.name, n, space.seed, space.parameters).draw()
    return [
        build_config(
            compose(
                [f"hparams_search={search}", *(f"{key}={value}" for key, value in values.items())], conf=ROOT / "conf"
            ).values,
            where="conf",
        )
        for values in drawn
    ]


def _loss_on(config: Config, rows: pd.DataFrame, unseen: pd.DataFrame) -> float:
    from pipeline.schema import Schema

    schema = Schema.from_config(config.data)
    classifier = fit_classifier(rows, schema, config.features, model=config.model, seed=config.seed)
    codes = encode_target(unseen, schema.target)
    scored = make_scored_rows(schema.target, codes, classifier.predict_proba(unseen), threshold=0.5)
    return float(scored.of_true_class(row_losses_by_class(scored, "log_loss")).mean())


def main() -> None:
    """Print one line for each draw, and the means against the targets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=3_000)
    parser.add_argument("--configurations", type=int, default=40)
    parser.add_argument("--draws", type=int, default=4)
    arguments = parser.parse_args()
    print(f"{'draw':>4}  {'fits':>5}  {'best of all fits':>16}  {'best of race':>12}  {'one SE of race':>14}")
    outcomes = []
    for seed in range(arguments.draws):
        outcome = race_once(arguments.rows, arguments.configurations, seed=seed)
        outcomes.append(outcome)
        print(
            f"{seed:>4}  {outcome.fit_share:>5.0%}  {outcome.full_best:>16.5f}  {outcome.raced_best:>12.5f}"
            f"  {outcome.raced_rule:>14.5f}",
            flush=True,
        )
    share = np.mean([outcome.fit_share for outcome in outcomes])
    regret = np.mean([outcome.raced_best - outcome.full_best for outcome in outcomes])
    rule = np.mean([outcome.raced_rule - outcome.full_best for outcome in outcomes])
    print(f"fits {share:.0%} (target 60%), regret {regret:+.5f}, of the rule {rule:+.5f} (target 0.0005)")


if __name__ == "__main__":
    main()
