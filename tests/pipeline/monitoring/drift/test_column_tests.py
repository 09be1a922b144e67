"""Drift is found in columns of every shape, and no shape raises false alarms."""

from __future__ import annotations

import pytest

from benchmarks import drift_rules, drift_shapes
from tests.pipeline.monitoring.drift_fixtures import CONTEXT


@pytest.mark.parametrize("shape", drift_shapes.SHAPES, ids=lambda shape: shape.name)
def test_a_visible_change_of_each_shape_is_found(shape: drift_shapes.Shape) -> None:
    """benchmarks/drift_rules.py runs the full number of draws; docs/explanation/drift-detection.md has its table."""
    assert drift_shapes.power_of(shape, 4, 3, CONTEXT) == 1.0


@pytest.mark.parametrize(("n_rows", "n_reference"), [(200, 5_000), (1_000, 1_000), (5_000, 500)])
def test_no_shape_raises_false_alarms(n_rows: int, n_reference: int) -> None:
    rate = drift_shapes.false_alarm_rate(n_rows, 20, 4, CONTEXT, n_reference=n_reference)
    assert rate <= drift_rules.BAR_FALSE
