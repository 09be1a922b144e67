"""Hashed n-grams are those of scikit-learn's vectorizers."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer

from pipeline.modeling.encoding.ngrams import N_BUCKETS, NgramForm, hash_ngrams, normalize_text

TEXTS = ["The quick brown fox", "quick  QUICK thing", "Überraschung aber gut", "", "  "]


def counts(texts, form: NgramForm, at: int) -> list[int]:
    hashed = hash_ngrams(texts, form)
    return sorted(Counter(hashed.buckets[hashed.texts == at].tolist()).values())


@pytest.mark.parametrize("ngram_range", [(2, 2), (2, 3), (3, 4), (2, 4)])
@pytest.mark.parametrize("analyzer", ["char_wb", "char", "word"])
def test_n_grams_occur_as_often_as_those_of_scikit_learn(analyzer, ngram_range) -> None:
    words = {"token_pattern": r"\S+"} if analyzer == "word" else {}
    vectorizer = CountVectorizer(analyzer=analyzer, ngram_range=ngram_range, **words)
    texts = [normalize_text(text, max_characters=99) if analyzer == "char" else text for text in TEXTS[:3]]
    theirs = vectorizer.fit_transform(texts).toarray()
    form = NgramForm(analyzer, ngram_range, 99)
    for at in range(3):
        expected = sorted(theirs[at][theirs[at] > 0].tolist())
        assert counts(TEXTS, form, at) == expected


@given(st.lists(st.text(max_size=30), max_size=8), st.sampled_from(["char_wb", "char", "word"]))
@examples(max_examples=40, deadline=None)
def test_a_text_has_the_same_n_grams_alone_and_among_others(texts, analyzer) -> None:
    form = NgramForm(analyzer, (1, 3), 20)
    hashed = hash_ngrams(texts, form)
    assert (np.diff(hashed.texts) >= 0).all()
    assert ((hashed.buckets >= 0) & (hashed.buckets < N_BUCKETS)).all()
    for at, text in enumerate(texts):
        assert hashed.buckets[hashed.texts == at].tolist() == hash_ngrams([text], form).buckets.tolist()


def test_different_n_grams_rarely_share_a_bucket() -> None:
    words = [f"{first}{second}{third}" for first in "abcdefgh" for second in "ijklmnop" for third in "qrstuvwx"]
    buckets = hash_ngrams(words, NgramForm("word", (1, 1), 20)).buckets
    assert len(set(buckets.tolist())) > 0.98 * len(words)


def test_characters_beyond_the_limit_are_left_out() -> None:
    form = NgramForm("char", (3, 3), 50)
    assert hash_ngrams(["a" * 10_000], form).buckets.tolist() == hash_ngrams(["a" * 50], form).buckets.tolist()
