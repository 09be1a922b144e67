"""A column moves by what was asked for, whatever it holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline.config.groups.scenario_config import DriftInjectionConfig
from pipeline.errors import ConfigError
from pipeline.package.reference import build_reference
from pipeline.simulation.drift_injection import apply_drift, plan_drift_injections
from pipeline.simulation.row_sampler import sample_rows
from tests.fixtures.toy_dataset import rows, schema

FRAME = rows(6_000)
SCHEMA = schema()


def drifted_frame(column: str, **change: Any) -> Any:
    movements = plan_drift_injections([DriftInjectionConfig(column=column, **change)], SCHEMA, FRAME)
    return apply_drift(FRAME, movements, np.random.default_rng(1))


@pytest.mark.parametrize("column", ["size", "count"])
def test_numeric_shift_is_in_deviations_and_integers_stay_whole(column: str) -> None:
    after = drifted_frame(column, shift=0.5)[column]
    assert after.dtype == FRAME[column].dtype
    assert float(after.mean() - FRAME[column].mean()) / float(FRAME[column].std()) == pytest.approx(0.5, abs=0.01)
    assert after.isna().tolist() == FRAME[column].isna().tolist()


@pytest.mark.parametrize(("column", "word"), [("colour", "red"), ("is_new", "true"), ("colour", "word 2")])
@pytest.mark.parametrize("share", [0.0, 0.2, 0.9, 1.0])
def test_a_word_gets_its_share_of_the_present_values(column: str, word: str, share: float) -> None:
    after = drifted_frame(column, word=word, share=share)[column]
    meant = True if word == "true" else "red"
    assert float((after.dropna() == meant).mean()) == pytest.approx(share, abs=0.02)
    assert after.isna().tolist() == FRAME[column].isna().tolist()


@pytest.mark.parametrize("column", ["size", "count", "colour", "is_new", "seen_at"])
@pytest.mark.parametrize("share", [0.0, 0.05, 0.4, 1.0])
def test_missing_values_get_their_share(column: str, share: float) -> None:
    assert float(drifted_frame(column, missing=share)[column].isna().mean()) == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize(
    ("column", "change", "said"),
    [
        ("siez", {"shift": 1.0}, "'siez' is no feature of small.*did you mean 'size'"),
        ("number 3", {"shift": 1.0}, "small has 2 features of numbers"),
        ("colour", {"shift": 1.0}, "colour holds no numbers"),
        ("size", {"word": "red", "share": 0.5}, "size holds no words"),
        ("words 1", {"word": "pink", "share": 0.5}, "'pink' is no word of colour; known: blue, red"),
    ],
)
def test_a_change_that_does_not_fit_is_refused(column: str, change: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        drifted_frame(column, **change)


def test_rows_sampled_from_counts_match_their_source() -> None:
    score = np.random.default_rng(2).random(len(FRAME))
    reference = build_reference(FRAME, SCHEMA, score=score, predicted=np.where(score < 0.5, "no", "yes"), n_bins=10)
    drawn = sample_rows(reference, SCHEMA, n_rows=20_000, rng=np.random.default_rng(3))
    for bins in reference.columns:
        before = np.array(bins.counts) / len(FRAME)
        after = bins.count(drawn[bins.name]) / len(drawn)
        assert after == pytest.approx(before, abs=0.015), bins.name
    assert (drawn["count"].dropna() % 1 == 0).all()
    assert drawn["note"].isna().all()
