"""The live performance of a version is that of its own predictions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pipeline.monitoring import IntervalOptions, PredictionLog, read_version_performance
from pipeline.state import open_state
from tests.pipeline.monitoring.log_fixtures import (
    MODEL_NAME,
    NOW,
    hours_us,
    live_rows,
    production_package,
    write_log,
    write_outcomes,
)

if TYPE_CHECKING:
    from pathlib import Path

INTERVALS = IntervalOptions(confidence_level=0.9, bootstrap_samples=100, seed=0)


def test_a_version_counts_its_own_predictions_and_outcomes(project: Path) -> None:
    package, _ = production_package(project)
    frame = live_rows(200, seed=4)
    ids = write_log(project, frame, start=NOW - hours_us(3), stop=NOW)
    predicted = [str(label) for label in package.predict(frame)]
    wrong = {package.classes[0]: package.classes[1], package.classes[1]: package.classes[0]}
    outcomes = [wrong[label] if at < 30 else label for at, label in enumerate(predicted[:120])]
    write_outcomes(project, list(zip(ids[:120], outcomes, strict=True)))
    idle = replace(package, manifest=replace(package.manifest, digest="0" * 64))
    state = open_state(project)
    try:
        log = PredictionLog(state, MODEL_NAME, lambda _: package)
        live, unused = read_version_performance(
            log, [package, idle], since=NOW - hours_us(4), until=NOW + 1, intervals=INTERVALS
        )
    finally:
        state.close()
    assert (live.n_predictions, live.realized.n_outcomes) == (200, 120)
    assert live.realized.metrics["accuracy"].value == pytest.approx(0.75)
    assert (unused.n_predictions, unused.realized.n_outcomes, unused.latency_ms) == (0, 0, {})
