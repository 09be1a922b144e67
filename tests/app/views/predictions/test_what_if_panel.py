"""What-if states the values that flip the prediction."""

from __future__ import annotations

from app.views.predictions.what_if_panel import flips_markdown
from pipeline.schema.feature_labels import FeatureLabels
from pipeline.serving.flip_points import Flip

LABELS = FeatureLabels({"proline": "Proline", "fear": "Stage fear"})


def test_each_flip_is_a_sentence_with_its_values() -> None:
    flips = [
        Flip("proline", "or more", (735,)),
        Flip("proline", "between", (12.5, 20.0)),
        Flip("fear", "words", ("No", "missing"), 2),
    ]
    assert flips_markdown(flips, LABELS).split("  \n") == [
        "The prediction flips if **Proline** is 735 or more.",
        r"The prediction flips if **Proline** is from 12\.5 to 20.",
        "The prediction flips if **Stage fear** is No or missing or 2 more values.",
    ]


def test_without_a_flip_no_feature_is_named() -> None:
    assert flips_markdown([], LABELS) == "No single feature change flips the prediction."
