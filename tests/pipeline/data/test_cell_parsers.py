import re
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.data.cell_parsers import CELL_GRAMMARS, parse_column

NUMBERS: dict[Any, Callable[[str], float]] = {"integer": lambda word: int(word.split(".")[0]), "float": float}


@pytest.mark.parametrize("kind", sorted(NUMBERS))
@settings(max_examples=600, deadline=None, derandomize=True)
@given(st.lists(st.one_of(st.none(), st.text(st.sampled_from("0017.-+eExX _n"), max_size=6)), min_size=1, max_size=4))
@example(["0x1F"])
@example(["-0x1F", "7"])
@example(["5.e3"])
@example(["-.5"])
@example(["-"])
@example(["00"])
@example(["-00.5"])
@example(["1e999", "1e-999", "0e0"])
@example(["9223372036854775807", "-9223372036854775808", "9223372036854775808"])
def test_a_number_is_read_exactly_when_its_grammar_fits_the_whole_cell(kind: Any, words: list[str | None]) -> None:
    values, refused = parse_column(pa.array(words, pa.string()), kind)
    fits = [
        word is None or (re.fullmatch(CELL_GRAMMARS[kind].pattern or "", word) and is_parseable(word, kind))
        for word in words
    ]
    assert refused.tolist() == [row for row, is_good in enumerate(fits) if not is_good]
    assert values.to_pylist() == [
        NUMBERS[kind](word) if word is not None and is_good else None for word, is_good in zip(words, fits, strict=True)
    ]


def is_parseable(word: str, kind: str) -> bool:
    value = NUMBERS[kind](word)
    return -(2**63) <= value < 2**63 if kind == "integer" else abs(value) != float("inf")


@pytest.mark.parametrize("n", [1, 5000])
def test_repeated_words_parse_like_distinct_words(n: int) -> None:
    values, refused = parse_column(pa.array(["7", "007", None, "8.0"] * n, pa.string()), "integer")
    assert values.to_pylist() == [7, None, None, 8] * n
    assert refused.tolist() == [1 + 4 * row for row in range(n)]


def test_array_slice_is_parsed_without_its_parent() -> None:
    values, refused = parse_column(pa.array(["007", "1", "2", "x"], pa.string()).slice(1, 2), "integer")
    assert (values.to_pylist(), refused.tolist()) == ([1, 2], [])
