"""Compare the rates of groups with those of Fairlearn, which the project does not depend on.

    uv venv /tmp/fairlearn --python 3.11
    uv pip install --python /tmp/fairlearn fairlearn -r requirements/run.lock
    PYTHONPATH=. /tmp/fairlearn/bin/python benchmarks/fairness_reference.py [--tables 20]

For random tables of two and three classes: selection rate, true and false positive rate and log loss of each group.
Prints the largest difference, and exits with code 1 when it exceeds 1e-9.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import numpy as np
from fairlearn.metrics import MetricFrame, false_positive_rate, selection_rate, true_positive_rate
from sklearn.metrics import log_loss

from pipeline.config.composition import compose
from pipeline.config.config_loader import build_config
from pipeline.fairness import Grouping, GroupTallies, assess_fairness
from pipeline.metrics import LabeledPredictions
from pipeline.schema import Target

RATES: dict[str, Any] = {
    "selection_rate": selection_rate,
    "true_positive_rate": true_positive_rate,
    "false_positive_rate": false_positive_rate,
}
LABELS = ("a", "b", "c")
TOLERANCE = 1e-9


def random_table(rng: np.random.Generator, n_classes: int) -> tuple[LabeledPredictions, Grouping]:
    """Return scored rows in three groups of unequal rates."""
    n = int(rng.integers(200, 2_000))
    codes = rng.choice(len(LABELS), n, p=[0.5, 0.3, 0.2])
    probabilities = rng.dirichlet(np.ones(n_classes), n)
    y = np.array([rng.choice(n_classes, p=row) for row in probabilities])
    scored = LabeledPredictions(y, probabilities, probabilities.argmax(axis=1), 1 if n_classes == 2 else None)
    return scored, Grouping(("group",), LABELS, codes)


def largest_difference(scored: LabeledPredictions, grouping: Grouping) -> float:
    """Return the largest difference of any rate or loss of any group from Fairlearn's."""
    names = tuple(str(code) for code in range(scored.n_classes))
    target = Target("class", names, "1" if scored.positive is not None else None)
    config = build_config(compose(()).values, where="conf").fairness
    report = assess_fairness([GroupTallies.from_rows(grouping, scored)], target, config)
    sensitive = np.array(LABELS)[grouping.codes]
    losses = {
        label: log_loss(scored.y[of], scored.probabilities[of], labels=range(scored.n_classes))
        for label in LABELS
        for of in [sensitive == label]
    }
    differences = []
    for group in report.columns[0].groups:
        for metric in group.metrics:
            if metric.of_class is None:
                expected = losses[group.group]
            else:
                code = int(metric.of_class)
                frame = MetricFrame(
                    metrics=RATES[metric.metric],
                    y_true=(scored.y == code).astype(int),
                    y_pred=(scored.predicted == code).astype(int),
                    sensitive_features=sensitive,
                )
                expected = frame.by_group[group.group]
            differences.append(abs(expected - (metric.value or 0.0)))
    return max(differences)


def main() -> int:
    """Print the largest difference over random tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=20)
    rng = np.random.default_rng(0)
    tables = [random_table(rng, n_classes) for _ in range(parser.parse_args().tables) for n_classes in (2, 3)]
    worst = max(largest_difference(scored, grouping) for scored, grouping in tables)
    print(f"{len(tables)} tables: rates and losses of groups differ from Fairlearn's by at most {worst:.1e}")
    return 0 if worst <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
