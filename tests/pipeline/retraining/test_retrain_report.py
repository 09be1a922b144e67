"""The report of a retrain states cause, rows, gates, labels by caller and the trial."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.retraining.retrain_report import retrain_page
from tests.pipeline.retraining.retrain_fixtures import evaluated_retrain, retrain_settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("verdict", "result", "words"),
    [
        ("pass", "pass", "It goes on trial."),
        ("needs_decision", "hold", "A person decides, because gates are open: recalibrated_champion."),
    ],
)
def test_the_page_states_what_happens_next_and_why(project: Path, verdict: str, result: str, words: str) -> None:
    retrain = evaluated_retrain(project, fresh_verdict=verdict, result=result)
    page = retrain_page(retrain, retrain_settings().lifecycle)
    assert words in page
    assert "- cause: log_loss became significantly worse" in page
    assert "| (no credential) | 9 | 5 | 1 | 0.2 | 0 |" in page
    assert "compared with the champion by replay, in log_loss" in page
