from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.validation import compare_split
from tests.fixtures.toy_dataset import rows, schema, settings

LIMITS = settings().validation


def make_train_and_test(n: int = 2_000) -> tuple[pd.DataFrame, pd.DataFrame]:
    frame = rows(n)
    is_test = np.random.default_rng(0).random(n) < 0.25
    return frame[~is_test].reset_index(drop=True), frame[is_test].reset_index(drop=True)


def test_random_split_has_an_adversarial_auc_near_a_half() -> None:
    train, test = make_train_and_test()
    report = compare_split(train, test, schema(), LIMITS, seed=42)
    assert report.adversarial_auc == pytest.approx(0.5, abs=0.05)
    assert (report.n_overlap, [result.column for result in report.drift if result.has_drifted]) == (0, [])
    assert report.as_dict()["is_valid"]


def test_shifted_part_is_detected_by_drift_and_by_the_tree() -> None:
    train, test = make_train_and_test()
    report = compare_split(train, test.assign(size=test["size"] + 2), schema(), LIMITS, seed=42)
    assert [result.column for result in report.drift if result.has_drifted] == ["size"]
    assert report.adversarial_auc is not None
    assert report.adversarial_auc > 0.85


def test_rows_in_both_parts_are_counted_whatever_their_ids() -> None:
    train, test = make_train_and_test()
    again = train.head(30).assign(row=range(9_000, 9_030))
    report = compare_split(train, pd.concat([test, again], ignore_index=True), schema(), LIMITS, seed=42)
    assert report.n_overlap == 30
    (finding,) = (finding for finding in report.findings if finding.rule == "split_overlap")
    assert (finding.level, finding.n_failed) == ("warning", 30)


def test_the_same_parts_and_seed_give_the_same_report() -> None:
    train, test = make_train_and_test()
    first, second = (compare_split(train, test, schema(), LIMITS, seed=42).as_dict() for _ in range(2))
    assert first == second


def test_infinity_does_not_stop_the_comparison() -> None:
    train, test = make_train_and_test()
    train.loc[3, "size"] = float("inf")
    assert compare_split(train, test, schema(), LIMITS, seed=42).adversarial_auc is not None
