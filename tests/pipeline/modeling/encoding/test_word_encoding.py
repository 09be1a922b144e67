"""Words with many values: shares, classes and rare words together."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pipeline.errors import ConfigError, DataError
from tests.pipeline.modeling.encoding.builders import encoder_of, frame_of, one_column

if TYPE_CHECKING:
    from pipeline.modeling.encoding import Encoder

WORDS = ["oslo"] * 6 + ["rome"] * 5 + ["bern"] * 2 + ["kyiv"] + [None] * 2
PLAIN = {"method": "words", "n_components": 0}
CLASSES = np.array([1] * 6 + [0] * 5 + [1, 0] + [1] + [0, 1], dtype=np.int64)


def fitted(encode: Any = PLAIN, **keys) -> Encoder:
    return one_column("text", encode, **keys).fit(frame_of(WORDS, "text"), CLASSES)


def test_rare_words_are_encoded_as_one_with_words_that_training_lacks() -> None:
    matrix = fitted().transform({"x": ["oslo", "bern", "kyiv", "lima", "", None]})
    assert matrix[:, 0].tolist() == pytest.approx([6 / 16, 3 / 16, 3 / 16, 3 / 16, 3 / 16, 2 / 16])
    assert matrix[0, 1] == 1.0
    assert len({tuple(row) for row in matrix[1:5].tolist()}) == 1


def test_the_shares_of_more_classes_have_a_column_each() -> None:
    encoder = one_column("text", PLAIN).fit(frame_of(WORDS, "text"), CLASSES + np.arange(16) % 2)
    assert encoder.feature_names_out_ == ("x=share", "x=target_0", "x=target_1", "x=target_2")


def test_without_classes_there_are_shares_alone() -> None:
    assert one_column("text", PLAIN).fit(frame_of(WORDS, "text")).feature_names_out_ == ("x=share",)
    assert fitted({**PLAIN, "target": False}).feature_names_out_ == ("x=share",)


def test_a_train_row_is_encoded_without_its_own_class() -> None:
    words = [f"word {at}" for at in range(8) for _ in range(5)]
    classes = (np.random.default_rng(0).random(40) < 0.5).astype(np.int64)
    encoder = one_column("text", {"method": "words", "min_rows": 1})
    before = encoder.fit_transform(frame_of(words, "text"), classes)
    flipped = classes.copy()
    flipped[3] = 1 - flipped[3]
    folds_differ = not np.array_equal(encoder.fit_transform(frame_of(words, "text"), flipped)[:, 1], before[:, 1])
    assert folds_differ
    assert not np.array_equal(before[:, 1], encoder.transform(frame_of(words, "text"))[:, 1])


def test_components_of_n_grams_relate_similar_words() -> None:
    ranks, trades = ("senior", "junior", "chief"), ("engineer", "nurse", "driver", "porter")
    words = [f"{rank} {trade}" for rank in ranks for trade in trades] * 6
    encoder = one_column("text", {"method": "words", "n_components": 3}).fit(frame_of(words, "text"))
    engineer, other_engineer, nurse = encoder.transform({"x": ["lead engineer", "engineer ii", "head nurse"]})[:, 1:]
    assert engineer @ other_engineer > 3 * abs(engineer @ nurse)


@pytest.mark.parametrize("store", ["bin", "hash", "drop"])
@pytest.mark.parametrize("encode", [{"method": "words", "min_rows": 1}, {"method": "text", "min_rows": 1}])
def test_a_package_has_no_private_text_of_fewer_than_five_rows(store: str, encode) -> None:
    texts = ["common word"] * 20 + [f"secret{at}" for at in range(20)]
    encoder = one_column("text", encode, store=store).fit(frame_of(texts, "text"), np.arange(40) % 2)
    stored = json.dumps(encoder.as_dict())
    assert "secret" not in stored
    assert np.array_equal(encoder.transform({"x": ["secret3"]})[:, 1], encoder.transform({"x": ["secret4"]})[:, 1])


@pytest.mark.parametrize(
    ("encode", "message"),
    [
        ({"method": "words", "min_row": 3}, "encode.min_row: is not a key here; .* did you mean 'min_rows'"),
        ({"method": "words", "min_rows": "many"}, "encode.min_rows: found 'many'"),
        ({"method": "text", "ngram_range": [4, 2]}, "expected \\[shortest, longest\\]"),
        ("word", "'word' is not a method of text columns; known: auto, words, text; did you mean 'words'"),
        ("log", "'log' is not a method of text columns"),
    ],
)
def test_an_invalid_declaration_is_refused_with_its_key(encode, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        fitted(encode)


def test_a_value_that_is_no_text_is_named_with_its_column() -> None:
    with pytest.raises(DataError, match="x: cannot be read as text"):
        one_column("text", "words").fit({"x": [3, 4]})


def test_many_categories_are_words_and_few_are_codes() -> None:
    from pipeline.schema import Column

    def names(n: int, form: str) -> tuple[str, ...]:
        words = tuple(f"word {at}" for at in range(n))
        column = Column("x", "category", "category", categories=words)
        return encoder_of([column], categories=form).fit({"x": list(words)}).feature_names_out_

    assert names(12, "codes") == ("x",)
    assert names(13, "codes")[0] == "x=share"
    assert len(names(40, "one_hot")) == 40
    assert names(41, "one_hot")[0] == "x=share"
