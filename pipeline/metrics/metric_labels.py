"""Name each metric for people, with one line that explains it; every page and message uses these labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["METRIC_EXPLANATIONS", "METRIC_LABELS", "metric_label"]

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
    is_acronym = label.split()[0].isupper()
    return f"{words}: {label if is_acronym else label[0].lower() + label[1:]}"
