"""Simulate how often the guards accuse honest callers of wrong labels, and how often they find a wrong one.

    python benchmarks/label_guard_rates.py [--draws 1000]

Each cell is a share of retrains whose comparison of callers holds, with 5 and with 20 callers. The champion is sure of
each row; 1.7% of such labels contradict it by themselves. `doubt` gives callers rows of different doubt, and as many
contradictions as these rows let expect.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import numpy as np

from pipeline.config.groups.lifecycle_config import LabelGuardsConfig
from pipeline.retraining.label_guards import LabelEvidence, evaluate_guards

if TYPE_CHECKING:
    from collections.abc import Callable

SETTINGS = LabelGuardsConfig(max_caller_share=1.0, max_contradictions=0.1, max_flips=1.0, skip_callers=[])
BASE_RATE = 0.017


def one_wrong(rate: float) -> Callable[[int], np.ndarray]:
    return lambda n: np.where(np.arange(n) == 0, rate, 0.0)


SCENARIOS: tuple[tuple[str, Callable[[int], np.ndarray], bool], ...] = (
    ("calm", np.zeros, False),
    ("calm, rows of different doubt", np.zeros, True),
    ("concept change at all callers, 9%", lambda n: np.full(n, 0.09), False),
    ("one caller wrong in 10%", one_wrong(0.10), False),
    ("one caller wrong in 25%", one_wrong(0.25), False),
    ("all callers wrong in 25%", lambda n: np.full(n, 0.25), False),
)
LABELS_EACH = (50, 200, 1_000)
CALLERS = (5, 20)


def draw(rng: np.random.Generator, wrong: np.ndarray, *, n: int, varies: bool) -> LabelEvidence:
    """Labels of callers of whom each contradicts `wrong` of its rows beside those that happen by themselves."""
    n_callers = len(wrong)
    doubt = (
        np.clip(BASE_RATE * np.exp(rng.normal(0, 0.5, n_callers)), 1e-4, 0.03) if varies else np.full(n_callers, 0.017)
    )
    rows_doubt, rows_wrong = np.repeat(doubt, n), np.repeat(wrong, n)
    y = (rng.random(n * n_callers) < rows_doubt + rows_wrong).astype(np.int64)
    return LabelEvidence(
        callers=[f"{at:02}" for at in range(n_callers) for _ in range(n)],
        y=y,
        probabilities=np.column_stack([1 - rows_doubt, rows_doubt]),
        is_changed=np.zeros(len(y), dtype=bool),
        coverage={},
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=1_000)
    draws = parser.parse_args().draws
    print(f"{'scenario':36} {'labels each':>11} {'5 callers':>10} {'20 callers':>10}")
    for name, wrong, varies in SCENARIOS:
        for n in LABELS_EACH:
            shares = []
            for n_callers in CALLERS:
                rng = np.random.default_rng(20_260 + n_callers + n)
                holds = 0
                for _ in range(draws):
                    guards = evaluate_guards(draw(rng, wrong(n_callers), n=n, varies=varies), SETTINGS)
                    holds += any(guard.result == "hold" and guard.name == "contradictions" for guard in guards)
                shares.append(holds / draws)
            print(f"{name:36} {n:>11} {shares[0]:>10.3f} {shares[1]:>10.3f}", flush=True)


if __name__ == "__main__":
    main()
