"""One thing is told from many, in words."""

from __future__ import annotations

import pytest

from pipeline.monitoring import DriftReport
from pipeline.text import pluralize


@pytest.mark.parametrize(("n", "words"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (12_000, "12,000 rows")])
def test_one_row_is_no_rows(n: int, words: str) -> None:
    assert pluralize(n, "row") == words
    assert f": {words} against 5," in f"{DriftReport(5, n, ()).summary},"


def test_a_plural_of_its_own_is_used() -> None:
    assert (pluralize(1, "entry", "entries"), pluralize(3, "entry", "entries")) == ("1 entry", "3 entries")
