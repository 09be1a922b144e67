import re
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.data.cell_parsers import parse_column
from pipeline.schema import TextFormat
from pipeline.schema.text_format import NUMBER_PATTERNS

NUMBERS: dict[Any, Callable[[str], float]] = {"integer": lambda text: int(text.split(".")[0]), "float": float}


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
def test_number_is_parsed_exactly_when_the_cell_matches_its_grammar(kind: Any, texts: list[str | None]) -> None:
    values, invalid = parse_column(pa.array(texts, pa.string()), TextFormat(kind))
    fits = [text is None or (re.fullmatch(NUMBER_PATTERNS[kind], text) and is_parseable(text, kind)) for text in texts]
    assert invalid.tolist() == [row for row, is_valid in enumerate(fits) if not is_valid]
    assert values.to_pylist() == [
        NUMBERS[kind](text) if text is not None and is_valid else None
        for text, is_valid in zip(texts, fits, strict=True)
    ]


def is_parseable(text: str, kind: str) -> bool:
    value = NUMBERS[kind](text)
    return -(2**63) <= value < 2**63 if kind == "integer" else abs(value) != float("inf")


@pytest.mark.parametrize("n", [1, 5000])
def test_repeated_texts_parse_like_distinct_texts(n: int) -> None:
    values, invalid = parse_column(pa.array(["7", "007", None, "8.0"] * n, pa.string()), TextFormat("integer"))
    assert values.to_pylist() == [7, None, None, 8] * n
    assert invalid.tolist() == [1 + 4 * row for row in range(n)]


def test_array_slice_is_parsed_without_its_parent() -> None:
    values, invalid = parse_column(pa.array(["007", "1", "2", "x"], pa.string()).slice(1, 2), TextFormat("integer"))
    assert (values.to_pylist(), invalid.tolist()) == ([1, 2], [])
