"""Injected drift has the requested size, for every kind of feature."""

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
    injections = plan_drift_injections([DriftInjectionConfig(column=column, **change)], SCHEMA, FRAME)
    return apply_drift(FRAME, injections, np.random.default_rng(1))


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
    value = True if word == "true" else "red"
    assert float((after.dropna() == value).mean()) == pytest.approx(share, abs=0.02)
    assert after.isna().tolist() == FRAME[column].isna().tolist()


@pytest.mark.parametrize("column", ["size", "count", "colour", "is_new", "seen_at"])
@pytest.mark.parametrize("share", [0.0, 0.05, 0.4, 1.0])
def test_missing_values_get_their_share(column: str, share: float) -> None:
    assert float(drifted_frame(column, missing=share)[column].isna().mean()) == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize(
    ("column", "change", "message"),
    [
        ("siez", {"shift": 1.0}, "'siez' is not a feature of small.*did you mean 'size'"),
        ("number 3", {"shift": 1.0}, "small has 2 numeric features"),
        ("colour", {"shift": 1.0}, "colour is not numeric"),
        ("size", {"word": "red", "share": 0.5}, "size is not categorical"),
        ("words 1", {"word": "pink", "share": 0.5}, "'pink' is not a category of colour; known: blue, red"),
    ],
)
def test_an_impossible_change_is_refused(column: str, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        drifted_frame(column, **change)


def test_rows_sampled_from_counts_match_their_source() -> None:
    score = np.random.default_rng(2).random(len(FRAME))
    reference = build_reference(FRAME, SCHEMA, score=score, predicted=np.where(score < 0.5, "no", "yes"), n_bins=10)
    sampled = sample_rows(reference, SCHEMA, n_rows=20_000, rng=np.random.default_rng(3))
    for bins in reference.columns:
        before = np.array(bins.counts) / len(FRAME)
        after = bins.count(sampled[bins.name]) / len(sampled)
        assert after == pytest.approx(before, abs=0.015), bins.name
    assert (sampled["count"].dropna() % 1 == 0).all()
    assert sampled["note"].isna().all()
