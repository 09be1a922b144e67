"""Drift of texts: longer texts, new words and other words are found, and rows like those of training are not."""

from __future__ import annotations

import json
import re
from functools import cache

import numpy as np
import pandas as pd
import pytest

from pipeline.monitoring.drift import detect_drift
from pipeline.monitoring.drift.detection import DriftContext
from pipeline.monitoring.log.bin_counts import count_frame
from pipeline.package.reference import Reference, build_reference
from pipeline.schema import Column, Schema, Target
from tests.fixtures.toy_dataset import settings

SCHEMA = Schema(
    "notes",
    (Column("note", "text", "string", nullable=True), Column("city", "text", "string")),
    Target("late", ("no", "yes"), "yes"),
)
WORDS = np.array([f"word{i}" for i in range(1500)])
SHARES = 1 / np.arange(1, 1501) / (1 / np.arange(1, 1501)).sum()
N_TRAIN, N_WINDOW, N_WINDOWS = 1200, 400, 12


def frame(
    n: int, seed: int, *, n_words: float = 10, new_share: float = 0, missing: float = 0, other: float = 0.3
) -> pd.DataFrame:
    """Return notes of a long tail of words, some of them new, and cities of which some occur once."""
    rng = np.random.default_rng(seed)
    notes: list[str | None] = []
    for size in rng.poisson(n_words, n) + 1:
        words = rng.choice(WORDS, size, p=SHARES)
        is_new = rng.random(size) < new_share
        notes.append(" ".join(np.where(is_new, np.char.add("zz", words), words)))
    is_other = rng.random(n) < other
    cities = np.where(is_other, rng.integers(10**6, 10**7, n), rng.integers(0, 60, n)).astype(str)
    table = pd.DataFrame({"note": pd.array(notes, dtype="string"), "city": pd.array(cities, dtype="string")})
    table.loc[rng.random(n) < missing, "note"] = None
    return table


@cache
def reference() -> Reference:
    rng = np.random.default_rng(0)
    predicted = np.array(SCHEMA.target.classes)[rng.integers(0, 2, N_TRAIN)]
    built = build_reference(
        frame(N_TRAIN, 1, missing=0.05), SCHEMA, score=rng.random(N_TRAIN), predicted=predicted, n_bins=10
    )
    return Reference.from_dict(json.loads(json.dumps(built.as_dict())))


def drifted(**shift: float) -> list[set[str]]:
    """Return the drifted columns of each of several windows."""
    context = DriftContext.from_config(settings(), SCHEMA)
    windows = [frame(N_WINDOW, 100 + seed, **{"missing": 0.05, **shift}) for seed in range(N_WINDOWS)]
    reports = [detect_drift(reference(), count_frame(reference(), rows, n_rows=N_WINDOW), context) for rows in windows]
    return [{finding.column for finding in report.findings if finding.verdict == "drift"} for report in reports]


def test_rows_like_those_of_training_do_not_drift() -> None:
    assert drifted() == [set()] * N_WINDOWS


@pytest.mark.parametrize(
    ("shift", "column"),
    [
        ({"n_words": 16}, "note=length"),
        ({"new_share": 0.2}, "note=new_words"),
        ({"missing": 0.4}, "note=length"),
        ({"other": 0.8}, "city"),
    ],
)
def test_a_shift_is_found_in_the_column_that_shifted(shift, column) -> None:
    found = drifted(**shift)
    assert all(column in columns for columns in found)
    assert set().union(*found) <= ({"city"} if column == "city" else {"note=length", "note=new_words"})


def test_the_report_describes_the_shift_in_words() -> None:
    context = DriftContext.from_config(settings(), SCHEMA)
    report = detect_drift(
        reference(), count_frame(reference(), frame(N_WINDOW, 7, other=0.8), n_rows=N_WINDOW), context
    )
    (finding,) = (finding for finding in report.findings if finding.column == "city")
    assert any(part.startswith("share of other words rose from") for part in finding.changes)


def test_the_package_has_no_word_of_few_rows() -> None:
    (city,) = reference().columns
    train = frame(N_TRAIN, 1, missing=0.05)["city"].value_counts()
    assert (train[list(city.points)] >= 5).all()
    assert re.search(r"word\d", json.dumps(reference().as_dict())) is None
