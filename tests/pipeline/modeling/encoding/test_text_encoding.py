"""Texts as their length and components of n-grams."""

from __future__ import annotations

import numpy as np

from tests.pipeline.modeling.encoding.builders import frame_of, matrix_of, one_column

TEXTS = [f"{opening} {ending}" for opening in ("good", "bad", "fair") for ending in ("food", "room", "view")] * 2


def test_a_missing_text_has_no_length_and_zeros() -> None:
    encoder = one_column("text", {"method": "text", "min_rows": 2}).fit(frame_of([*TEXTS, None], "text"))
    row = encoder.transform({"x": [None]})[0]
    assert np.isnan(row[0])
    assert not row[1:].any()


def test_the_length_is_capped() -> None:
    encoder = one_column("text", {"method": "text", "max_characters": 5}).fit(frame_of(TEXTS, "text"))
    assert encoder.transform({"x": ["a" * 100, "ab"]})[:, 0].tolist() == [5, 2]


def test_texts_that_share_nothing_are_encoded_by_their_length() -> None:
    assert matrix_of(["ab", "cde"], "text", "text") == [[2], [3]]


def test_a_scaled_block_has_the_variance_one() -> None:
    matrix = np.array(matrix_of(TEXTS, "text", {"method": "text", "min_rows": 2}, scale="standard"))
    assert np.isclose(matrix[:, 1:].var(axis=0).sum(), 1.0, atol=1e-3)


def test_auto_takes_words_where_they_recur_and_texts_where_they_do_not() -> None:
    recurring = one_column("text").fit(frame_of(["oslo", "rome"] * 9, "text"))
    different = one_column("text").fit(frame_of([f"note {at}" for at in range(18)], "text"))
    assert recurring.feature_names_out_[0] == "x=share"
    assert different.feature_names_out_[0] == "x=length"
