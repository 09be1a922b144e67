"""A feature has one label and one place on all pages."""

from __future__ import annotations

from pipeline.schema import FeatureLabels

LABELS = FeatureLabels({"age": "Age", "class": "Ticket class"})


def test_a_declared_column_wins_over_an_output_of_the_same_name() -> None:
    assert [LABELS.label(name) for name in ("class", "score", "n_visits")] == [
        "Ticket class",
        "Predicted probability (output)",
        "n visits",
    ]


def test_features_are_in_the_order_of_the_schema_and_outputs_last() -> None:
    assert LABELS.order(["score", "confidence", "class", "other", "age"]) == [
        "age", "class", "other", "score", "confidence",
    ]  # fmt: skip
