"""Name each metric for people, with one line that explains it; every page and message uses these labels."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["METRIC_EXPLANATIONS", "METRIC_LABELS", "label_metrics", "metric_label"]

METRIC_LABELS: Mapping[str, str] = {
    "log_loss": "Log loss",
    "brier": "Brier score",
    "ece": "Calibration error (ECE)",
    "roc_auc": "ROC AUC",
    "pr_auc": "Average precision (PR AUC)",
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "f1": "F1 score",
    "f1_score": "F1 score, weighted",
    "f1_macro": "F1 score, macro",
    "f1_weighted": "F1 score, weighted",
    "precision": "Precision",
    "recall": "Recall",
    "mcc": "Matthews correlation (MCC)",
    "cost": "Cost",
}
METRIC_EXPLANATIONS: Mapping[str, str] = {
    "log_loss": "Penalty for confident wrong probabilities; 0 is perfect",
    "brier": "Mean squared error of the probabilities; 0 is perfect",
    "ece": "Mean gap between predicted probability and observed frequency",
    "roc_auc": "Chance that a positive row ranks above a negative one; 0.5 is random",
    "pr_auc": "Area under the precision-recall curve",
    "accuracy": "Share of correct predictions",
    "balanced_accuracy": "Mean of the recalls of the classes",
    "f1": "Harmonic mean of precision and recall",
    "f1_score": "F1 score of each class, weighted by its rows",
    "f1_macro": "Mean F1 score of the classes",
    "f1_weighted": "F1 score of each class, weighted by its rows",
    "precision": "Share of positive predictions that are correct",
    "recall": "Share of positive rows that are found",
    "mcc": "Correlation of predicted and actual class: -1 to 1, 0 is random",
    "cost": "Mean cost of a prediction, by the declared costs",
}
_PLACES = {"cv": "Cross-validation", "cv_spread": "Standard deviation of the folds"}
# Names that occur in sentences as names alone: the others are words of every day.
_NAMES = re.compile(
    rf"\b({'|'.join(name for name in METRIC_LABELS if '_' in name or name in ('ece', 'mcc', 'brier'))})\b"
)


def metric_label(name: str) -> str:
    """Return the label of a metric; an unknown name in words.

    A prefix up to the last dot names where it was measured, and is in front.

    Examples
    --------
    >>> metric_label("ece"), metric_label("test.log_loss"), metric_label("own_metric")
    ('Calibration error (ECE)', 'Test: log loss', 'Own metric')
    """
    place, _, metric = name.rpartition(".")
    label = METRIC_LABELS.get(metric, metric.replace("_", " ").capitalize())
    if not place:
        return label
    words = _PLACES.get(place, place.replace("_", " ").replace(".", ": ").capitalize())
    return f"{words}: {_inside_sentence(label)}"


def label_metrics(text: str) -> str:
    """Return a sentence with labels in place of the names of metrics that are no words.

    Examples
    --------
    >>> label_metrics("better: log_loss differs by -0.42, and ece is 0.01")
    'better: log loss differs by -0.42, and calibration error (ECE) is 0.01'
    """
    return _NAMES.sub(lambda match: _inside_sentence(METRIC_LABELS[match[0]]), text)


def _inside_sentence(label: str) -> str:
    return label if label.split(maxsplit=1)[0].isupper() else label[0].lower() + label[1:]
