"""Numbers of texts that are monitored: worked out by hand, the same in every form, and without a person's words."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pipeline.package.text_measures import TextMeasure, learn_text_measures

TRAIN = ["late parcel", "Late again", "parcel  late", "late parcel", "a late parcel", "parcel Smith"]


def test_numbers_are_those_worked_out_by_hand() -> None:
    length, new_words = learn_text_measures("note", TRAIN * 2)
    texts = ["late parcel", "LATE smith", "Smith was late again", "", None]
    assert length.numbers(texts).tolist()[:4] == [11, 10, 20, 0]
    assert np.isnan(length.numbers(texts)[4])
    # Ten rows have late, ten have parcel; a, again and smith have two.
    assert new_words.numbers(texts).tolist()[:4] == [0.0, 0.5, 0.75, 0.0]


@pytest.mark.parametrize("form", [pd.array, pa.array, lambda texts: pa.chunked_array([texts, texts[:0]]), tuple])
def test_every_form_of_a_column_gives_the_same_numbers(form) -> None:
    texts = ["late parcel", None, "Smith", "late parcel"]
    values = pd.Series(texts, dtype="string") if form is pd.array else form(texts)
    for measure in learn_text_measures("note", TRAIN):
        assert np.array_equal(measure.numbers(values), measure.numbers(texts), equal_nan=True)


def test_texts_without_blanks_are_compared_by_characters() -> None:
    texts = ["今日は良い天気です", "今日は雨の天気です"] * 10
    new = learn_text_measures("note", texts)[1]
    assert new.unit == "char"
    assert new.numbers([*texts[:2], "電車が遅れています"]).tolist() == [0.0, 0.0, 1.0]


def test_a_word_of_few_rows_is_not_known() -> None:
    """A word that four people share could be one family's name."""
    shares = [
        learn_text_measures("note", ["Smith said so"] * n + ["late late"] * 9)[1].numbers(["Smith"])[0] for n in (4, 5)
    ]
    assert shares == [1.0, 0.0]


def test_a_stored_measure_is_the_same_and_a_damaged_one_is_refused() -> None:
    for measure in learn_text_measures("note", TRAIN):
        plain = json.loads(json.dumps(measure.as_dict()))
        assert TextMeasure.from_dict(plain).numbers(TRAIN).tolist() == measure.numbers(TRAIN).tolist()
    with pytest.raises(ValueError, match="note: the known words have 8 bits, not 65536"):
        TextMeasure.from_dict({**plain, "known": "/w=="})


def test_a_value_that_is_no_text_is_refused() -> None:
    with pytest.raises(TypeError, match="12 is not a text"):
        learn_text_measures("note", TRAIN)[0].numbers(["a", 12])
