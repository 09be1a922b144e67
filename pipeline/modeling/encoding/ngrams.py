"""Hash the n-grams of texts, all texts at once: characters within words, characters, or words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Words = NDArray[np.uint64]

__all__ = ["N_BUCKETS", "HashedNgrams", "NgramForm", "hash_ngrams", "normalize_text"]

N_BUCKETS = 1 << 16

_SPACE = ord(" ")
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # odd: multiplying loses no bit
_MIXER = np.uint64(0xD6E8FEB86659FD93)
_SHIFT = np.uint64(32)


@dataclass(frozen=True, slots=True)
class NgramForm:
    """What n-grams consist of, how long they are, and how many characters of a text are read."""

    analyzer: Literal["char_wb", "char", "word"]
    ngram_range: tuple[int, int]
    max_characters: int


@dataclass(frozen=True, slots=True)
class HashedNgrams:
    """One entry for each n-gram: the position of its text, ascending, and its bucket below `N_BUCKETS`."""

    texts: NDArray[np.intp]
    buckets: NDArray[np.int64]


def normalize_text(text: str, *, max_characters: int) -> str:
    """Return a text in lower case, with single spaces between its words and around them.

    Examples
    --------
    >>> normalize_text("Senior  Engineer", max_characters=100)
    ' senior engineer '
    """
    return f" {' '.join(text[:max_characters].lower().split())} "


def hash_ngrams(texts: Sequence[str], form: NgramForm) -> HashedNgrams:
    """Return the n-grams of each text, hashed; the same for a text alone and among others.

    `char_wb` takes the characters of single words with a space on both sides, as scikit-learn's vectorizers do, but
    leaves out words that are shorter than n. `char` crosses words, and `word` takes whole words.
    """
    normalized = [normalize_text(text, max_characters=form.max_characters) for text in texts]
    # surrogatepass: half of a surrogate pair is a character like any other here.
    data = "".join(normalized).encode("utf-32-le", "surrogatepass")
    characters = np.frombuffer(data, dtype=np.uint32)
    text_of = np.repeat(np.arange(len(normalized)), [len(text) for text in normalized])
    if form.analyzer == "word":
        parts = _word_ngrams(characters, text_of, form.ngram_range)
    else:
        parts = _character_ngrams(characters, text_of, form.ngram_range, within_words=form.analyzer == "char_wb")
    found_in = np.concatenate([at for at, _ in parts]) if parts else np.empty(0, dtype=np.intp)
    hashes = np.concatenate([value for _, value in parts]) if parts else np.empty(0, dtype=np.uint64)
    order = np.argsort(found_in, kind="stable")
    return HashedNgrams(found_in[order], _buckets(hashes[order]))


def _buckets(hashes: Words) -> NDArray[np.int64]:
    mixed = (hashes ^ (hashes >> _SHIFT)) * _MIXER
    mixed ^= mixed >> _SHIFT
    return (mixed & np.uint64(N_BUCKETS - 1)).astype(np.int64)


def _character_ngrams(
    characters: NDArray[np.uint32], text_of: NDArray[np.intp], ngram_range: tuple[int, int], *, within_words: bool
) -> list[tuple[NDArray[np.intp], Words]]:
    is_space = characters == _SPACE
    n_spaces_before = np.concatenate([[0], np.cumsum(is_space)])
    wide = characters.astype(np.uint64)
    parts = []
    for n in range(ngram_range[0], ngram_range[1] + 1):
        n_windows = len(characters) - n + 1
        if n_windows <= 0:
            break
        is_inside = text_of[:n_windows] == text_of[n - 1 :]
        if within_words and n > 2:
            is_inside &= n_spaces_before[n - 1 : n - 1 + n_windows] == n_spaces_before[1 : 1 + n_windows]
        starts = np.flatnonzero(is_inside)
        hashes = np.full(len(starts), n, dtype=np.uint64)
        for offset in range(n):
            hashes = (hashes ^ wide[starts + offset]) * _MULTIPLIER
            hashes ^= hashes >> _SHIFT
        parts.append((text_of[starts], hashes))
    return parts


def _word_ngrams(
    characters: NDArray[np.uint32], text_of: NDArray[np.intp], ngram_range: tuple[int, int]
) -> list[tuple[NDArray[np.intp], Words]]:
    is_letter = characters != _SPACE
    is_start = is_letter & ~np.concatenate([[False], is_letter[:-1]])
    starts = np.flatnonzero(is_start)
    if not len(starts):
        return []
    word_of = np.cumsum(is_start) - 1
    letters = np.flatnonzero(is_letter)
    offsets = letters - starts[word_of[letters]]
    powers = np.multiply.accumulate(np.full(int(offsets.max()) + 2, _MULTIPLIER, dtype=np.uint64))
    terms = (characters[letters].astype(np.uint64) + np.uint64(1)) * powers[offsets]
    firsts = np.flatnonzero(offsets == 0)
    words = np.add.reduceat(terms, firsts)
    words ^= words >> _SHIFT
    text_of_word = text_of[starts]
    parts = []
    for n in range(ngram_range[0], ngram_range[1] + 1):
        n_windows = len(words) - n + 1
        if n_windows <= 0:
            break
        at = np.flatnonzero(text_of_word[:n_windows] == text_of_word[n - 1 :])
        hashes = np.full(len(at), n, dtype=np.uint64)
        for offset in range(n):
            hashes = (hashes ^ words[at + offset]) * _MULTIPLIER
            hashes ^= hashes >> _SHIFT
        parts.append((text_of_word[at], hashes))
    return parts
