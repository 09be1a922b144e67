"""The words about a column never contradict its verdict, its statistic or its threshold."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import drift_shapes
from pipeline.monitoring import require_consecutive_windows
from pipeline.text import percent
from tests.pipeline.monitoring.drift_fixtures import CONFIG, CONTEXT

if TYPE_CHECKING:
    from pipeline.monitoring import DriftFinding

_RNG = np.random.default_rng(5)
_SHAPES = drift_shapes.SHAPES
_REFERENCE = drift_shapes.shape_reference(drift_shapes.draw_frame(_RNG, 4_000, _SHAPES), _SHAPES)
_QUIET = ("no significant change", "significant but small", "too few rows")


def contradictions(finding: DriftFinding) -> list[str]:
    """Return what the words of a finding say against its numbers."""
    if finding.verdict == "not_enough_data":
        numbers = (finding.value, finding.threshold, finding.p_value, finding.direction, *finding.statistics.values())
        is_named = finding.summary == "too few rows for a verdict: 150 of 200 rows needed"
        return [] if is_named and not finding.shares and set(numbers) == {None} else ["numbers of too few rows"]
    assert finding.value is not None
    assert finding.threshold is not None
    assert finding.p_value is not None
    assert finding.alpha is not None
    is_loud = finding.verdict in ("drift", "watch")
    found = [f"{finding.verdict} and {words}" for words in _QUIET if is_loud and words in finding.summary]
    if is_loud and not finding.p_value < finding.alpha:
        found.append("without significance")
    if finding.verdict == "drift" and not finding.value > finding.threshold:
        found.append("drift within the threshold")
    if not is_loud and not finding.summary.startswith(_QUIET):
        found.append("loud words of a quiet verdict")
    if not is_loud and finding.direction is not None:
        found.append("a direction without a change")
    if is_loud and f"limit {finding.threshold:.3g}" not in finding.summary:
        found.append("another limit")
    if is_loud and not _names_value(finding):
        found.append("another value")
    return found


def _names_value(finding: DriftFinding) -> bool:
    assert finding.value is not None
    effect = finding.summary.partition(" (limit")[0]
    if finding.statistic in ("missing", "rare_values"):
        before, after = (float(text) / 100 for text in re.findall(r"from ([0-9.]+)% to ([0-9.]+)%$", effect)[0])
        return abs(after - before) == pytest.approx(finding.value, abs=0.0012)
    return f"{finding.value:.3g}" in effect.split()


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n_rows=st.sampled_from([150, 300, 2_000, 20_000]),
    changed=st.sampled_from([shape.name for shape in _SHAPES]),
)
def test_words_agree_with_the_verdict_of_every_shape(seed: int, n_rows: int, changed: str) -> None:
    frame = drift_shapes.draw_frame(np.random.default_rng(seed), n_rows, _SHAPES, changed=changed)
    report = drift_shapes.shape_report(_REFERENCE, frame, CONTEXT)
    unconfirmed = require_consecutive_windows(report, [], CONFIG.model_copy(update={"consecutive_windows": 2}))
    for finding in (*report.findings, *unconfirmed.findings):
        assert contradictions(finding) == [], finding
        assert finding.as_dict()["summary"] == finding.summary


@pytest.mark.parametrize("verdict", ["drift", "watch", "stable", "not_enough_data"])
def test_a_replaced_verdict_replaces_the_words(verdict: str) -> None:
    frame = drift_shapes.draw_frame(np.random.default_rng(1), 5_000, _SHAPES, changed="zeros_70")
    finding = drift_shapes.shape_report(_REFERENCE, frame, CONTEXT).findings[0]
    starts = {
        "drift": "shares of bins changed",
        "watch": "shares of bins changed",
        "stable": "significant but small: ",
        "not_enough_data": "too few rows",
    }
    assert finding.verdict == "drift"
    assert replace(finding, verdict=verdict).summary.startswith(starts[verdict])


def test_percentages_have_enough_digits_for_a_rise_of_the_limit() -> None:
    assert percent(0.001) != percent(0.001 + CONFIG.numeric.rare_values)
