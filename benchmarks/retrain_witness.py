"""Simulate weeks of traffic in which a model is retrained, and compare what its gates let through.

    python benchmarks/retrain_witness.py [--seeds 3] [--labels 720]

Rows are those of data/s5e7_train.csv (or of --rows FILE). The world changes in week 12: by covariate shift, by a
concept change, or by wrong labels for six weeks. A retrain is asked for where the log loss of the last two weeks is
significantly worse than that of the champion's first. Printed: the log loss on true labels after the change and in the
last ten weeks, with the number of retrains and of candidates that went into production.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier

from pipeline.metrics import LabeledPredictions
from pipeline.retraining.fresh_gate import compare_on_fresh_labels, recalibrate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Codes = NDArray[np.int64]

N_WEEKS, CHANGE_WEEK, POISON_WEEKS, DELAY = 32, 12, 6, 1
HALF_LIFE_WEEKS, FRESH_SHARE, MIN_LABELS, COOLDOWN_WEEKS = 8.0, 0.3, 500, 1
POLICIES = ("never", "fresh labels", "and recalibrated champion")
WORLDS = ("calm", "covariate", "concept", "wrong labels")


@dataclass
class Stream:
    """Weeks of rows: features, true classes, and the labels that callers send."""

    x: list[Floats] = field(default_factory=list)
    truth: list[Codes] = field(default_factory=list)
    labels: list[Codes] = field(default_factory=list)


def read_rows(path: Path) -> tuple[Floats, Codes]:
    frame = pd.read_csv(path).drop(columns="id", errors="ignore")
    y = frame.pop("Personality").eq("Introvert").to_numpy().astype(np.int64)
    encoded = frame.apply(
        lambda column: column.map({"No": 0.0, "Yes": 1.0}) if column.dtype in ("object", "str") else column
    )
    return encoded.to_numpy(dtype=float, na_value=np.nan), y


def make_stream(rng: np.random.Generator, rows: tuple[Floats, Codes], world: str, per_week: int) -> Stream:
    x, y = rows
    stream = Stream()
    alone = x[:, 0]
    for week in range(N_WEEKS):
        has_changed = week >= CHANGE_WEEK
        weights = np.ones(len(y))
        if world == "covariate" and has_changed:
            weights = np.where(np.nan_to_num(alone, nan=5.0) > 4, 4.0, 1.0)
        at = rng.choice(len(y), per_week, p=weights / weights.sum())
        truth = y[at].copy()
        if world == "concept" and has_changed:  # of those who go out often, a quarter are of the other class now
            turned = (np.nan_to_num(x[at, 3], nan=0.0) >= 5) & (rng.random(per_week) < 0.25)
            truth = np.where(turned, 1 - truth, truth)
        labels = truth.copy()
        if world == "wrong labels" and CHANGE_WEEK <= week < CHANGE_WEEK + POISON_WEEKS:
            labels = np.where(rng.random(per_week) < 0.25, 1 - labels, labels)
        stream.x.append(x[at])
        stream.truth.append(truth)
        stream.labels.append(labels)
    return stream


def fit(x: Floats, y: Codes, weight: Floats) -> HistGradientBoostingClassifier:
    model = HistGradientBoostingClassifier(
        learning_rate=0.05, max_iter=100, max_leaf_nodes=15, min_samples_leaf=40, l2_regularization=1.0, random_state=0
    )
    return model.fit(x, y, sample_weight=weight)


def scored(model: HistGradientBoostingClassifier, x: Floats, y: Codes) -> LabeledPredictions:
    probabilities = model.predict_proba(x)
    return LabeledPredictions(y=y, probabilities=probabilities, predicted=probabilities.argmax(axis=1), positive=1)


def losses(model: HistGradientBoostingClassifier, x: Floats, y: Codes) -> Floats:
    rows = scored(model, x, y)
    return rows.of_true_class(rows.log_losses)


def is_degraded(recent: Floats, reference: Floats) -> bool:
    gap = recent.mean() - reference.mean()
    return bool(gap > 1.96 * np.sqrt(recent.var() / len(recent) + reference.var() / len(reference)))


def run(stream: Stream, history: tuple[Floats, Codes], policy: str) -> tuple[list[float], int, int]:
    """Return the true loss of each week, and the numbers of retrains and of adopted candidates."""
    champion = fit(*history, np.ones(len(history[1])))
    reference, true_losses = None, []
    snapshot_week, pause_until, n_refused, n_retrains, n_adopted = 0, 0, 0, 0, 0
    for week in range(N_WEEKS):
        true_losses.append(float(losses(champion, stream.x[week], stream.truth[week]).mean()))
        known = week - DELAY
        if policy == "never" or known < 2:
            continue
        recent = np.concatenate([losses(champion, stream.x[at], stream.labels[at]) for at in (known - 1, known)])
        reference = recent if reference is None else reference
        n_new = sum(len(stream.labels[at]) for at in range(snapshot_week, known + 1))
        if week < pause_until or n_new < MIN_LABELS or not is_degraded(recent, reference):
            continue
        n_retrains += 1
        candidate, passes, cut = retrain(stream, history, champion, policy=policy, weeks=(snapshot_week, known))
        snapshot_week = cut
        if passes:
            champion, reference, n_refused = candidate, None, 0
            n_adopted += 1
        else:
            n_refused += 1
        pause_until = week + min(COOLDOWN_WEEKS * 2**n_refused, 4)
    return true_losses, n_retrains, n_adopted


def retrain(
    stream: Stream,
    history: tuple[Floats, Codes],
    champion: HistGradientBoostingClassifier,
    *,
    policy: str,
    weeks: tuple[int, int],
) -> tuple[HistGradientBoostingClassifier, bool, int]:
    """Return the candidate, whether its gate lets it go on, and the first week that no candidate learned from."""
    since, until = weeks
    n_new = until + 1 - since
    cut = until + 1 - max(1, round(n_new * FRESH_SHARE))
    x, y = np.concatenate(stream.x[:cut]), np.concatenate(stream.labels[:cut])
    age = np.repeat(until - np.arange(cut), [len(labels) for labels in stream.labels[:cut]])
    weight = np.concatenate(
        [np.full(len(history[1]), 0.5 ** ((until + 1) / HALF_LIFE_WEEKS)), 0.5 ** (age / HALF_LIFE_WEEKS)]
    )
    candidate = fit(np.concatenate([history[0], x]), np.concatenate([history[1], y]), weight)
    fresh_x, fresh_y = np.concatenate(stream.x[cut : until + 1]), np.concatenate(stream.labels[cut : until + 1])
    fresh = scored(champion, fresh_x, fresh_y)
    witnesses = recalibrate(scored(champion, x, y), fresh) if policy == POLICIES[-1] else {}
    comparison = compare_on_fresh_labels(
        scored(candidate, fresh_x, fresh_y), fresh, recalibrated=witnesses, metric="log_loss", confidence_level=0.95
    )
    return candidate, comparison.verdict == "pass", cut


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--labels", type=int, default=720, help="labeled rows a week")
    parser.add_argument("--worlds", nargs="+", choices=WORLDS, default=WORLDS)
    parser.add_argument("--rows", type=Path, default=Path("data/s5e7_train.csv"))
    arguments = parser.parse_args()
    rows = read_rows(arguments.rows)
    print(f"{'world':14} {'policy':28} {'after':>8} {'last 10':>8} {'retrains':>9} {'adopted':>8}")
    for world in arguments.worlds:
        for policy in POLICIES:
            results = []
            for seed in range(arguments.seeds):
                rng = np.random.default_rng(seed)
                at = rng.permutation(len(rows[1]))
                history, live = at[:4_000], at[4_000:]
                stream = make_stream(rng, (rows[0][live], rows[1][live]), world, arguments.labels)
                results.append(run(stream, (rows[0][history], rows[1][history]), policy))
            after = np.mean([np.mean(weekly[CHANGE_WEEK:]) for weekly, _, _ in results])
            last = np.mean([np.mean(weekly[-10:]) for weekly, _, _ in results])
            retrains, adopted = (np.mean([result[at] for result in results]) for at in (1, 2))
            print(f"{world:14} {policy:28} {after:8.4f} {last:8.4f} {retrains:9.1f} {adopted:8.1f}", flush=True)


if __name__ == "__main__":
    main()
