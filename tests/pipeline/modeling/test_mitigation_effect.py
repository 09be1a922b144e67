"""The effect compares a training with the mitigation to one without it, on rows that neither was fitted to."""

from __future__ import annotations

import pytest

from pipeline.modeling.mitigation_effect import train_with_mitigation
from tests.fixtures.toy_dataset import rows, settings
from tests.pipeline.modeling.test_mitigation import overrides, protected_schema


@pytest.mark.parametrize(("kind", "metric"), [("thresholds", "true_positive_rate"), ("reweigh", "null")])
def test_a_mitigation_reduces_the_gap_and_states_its_price(kind: str, metric: str) -> None:
    trained = train_with_mitigation(rows(900), protected_schema(), settings(*overrides(kind, metric)))
    effect = trained.effect
    assert effect is not None
    gaps = {}
    for name, groups in effect["groups"].items():
        rates = [group["metrics"][1]["value"] for group in groups if group["group"] in ("blue", "red")]
        gaps[name] = abs(rates[0] - rates[1])
    assert gaps["after"] < gaps["before"]
    assert effect["metrics"]["before"] != effect["metrics"]["after"]
    assert (effect["kind"], effect["reason"]) == (kind, "a test")
    assert (effect["thresholds"] is None) is (kind == "reweigh")
    assert (trained.result.classifier.group_thresholds is None) is (kind == "reweigh")


def test_without_a_mitigation_there_is_no_effect() -> None:
    assert train_with_mitigation(rows(200), protected_schema(), settings(*overrides("none"))).effect is None
