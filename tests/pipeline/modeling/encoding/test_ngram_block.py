"""The dense block of texts: tf-idf and components as of scikit-learn, with the same bits in any batch."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from pipeline.modeling.encoding.ngram_block import NgramBlock, fit_ngram_block
from pipeline.schema import Column
from tests.fixtures.toy_dataset import settings

PARTS = ["senior", "junior", "nurse", "engineer", "office", "manager", "driver", "police", "officer", "library"]
COLUMN = Column("x", "text", "string")


def texts(n: int = 200) -> list[str]:
    rng = np.random.default_rng(5)
    return sorted({" ".join(rng.choice(PARTS, 3)) for _ in range(n)})


def fitted(n_components: int = 6, **keys) -> NgramBlock:
    config = settings().features.text.with_keys({"n_components": n_components, "min_rows": 1, **keys}, column="x")
    return fit_ngram_block(texts(), np.ones(len(texts()), dtype=np.int64), config, column=COLUMN)


def test_the_block_is_that_of_tf_idf_and_a_truncated_decomposition() -> None:
    tf_idf = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 4)).fit_transform(texts())
    theirs = TruncatedSVD(6, random_state=0).fit_transform(tf_idf)
    ours = fitted().transform(texts())
    signs = np.sign((ours * theirs).sum(axis=0))
    assert np.abs(ours - signs * theirs).max() < 2e-3


@pytest.mark.parametrize("analyzer", ["char_wb", "char", "word"])
def test_a_text_has_the_same_bits_alone_in_a_batch_and_reloaded(analyzer: str) -> None:
    block = fitted(analyzer=analyzer)
    tried = [*texts(), "", "unknown words", "senior " * 500]
    whole = block.transform(tried)
    again = NgramBlock.from_dict(json.loads(json.dumps(block.as_dict())))
    assert np.array_equal(np.vstack([again.transform([text]) for text in tried]), whole)


def test_repeated_texts_weigh_as_repeated_rows() -> None:
    config = settings().features.text.with_keys({"n_components": 3, "min_rows": 1}, column="x")
    listed = texts()[:20]
    counts = np.arange(1, 21)
    tf_idf = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 4))
    repeated = tf_idf.fit_transform([text for text, n in zip(listed, counts, strict=True) for _ in range(n)])
    theirs = TruncatedSVD(3, random_state=0).fit(repeated).transform(tf_idf.transform(listed))
    ours = fit_ngram_block(listed, counts, config, column=COLUMN).transform(listed)
    assert np.abs(np.abs(ours) - np.abs(theirs)).max() < 5e-3


@pytest.mark.parametrize("few", [[], [""], ["a", "b"], ["same", "same text"]])
def test_few_texts_give_few_components_or_none(few: list[str]) -> None:
    block = fit_ngram_block(few, np.full(len(few), 9), settings().features.text, column=COLUMN)
    assert block.n_components <= max(0, len(few) - 1)
    assert np.isfinite(block.transform(["same", "?"])).all()


@pytest.mark.parametrize("change", [{"squares": ""}, {"weights": "AAAA"}, {"buckets": "////fw=="}])
def test_a_damaged_block_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"reshape|multiple|fit"):
        NgramBlock.from_dict({**fitted().as_dict(), **change})
