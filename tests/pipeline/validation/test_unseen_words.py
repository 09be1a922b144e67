"""Words that an open column does not list are counted and named, and their rows remain."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from pipeline.config.groups.validation_config import SeverityThresholds
from pipeline.schema import Column, Schema, Target
from pipeline.validation import validate_rows
from pipeline.validation.arrow_rows import open_rows
from pipeline.validation.unseen_words import UnseenWords, count_unseen_words
from tests.pipeline.validation.validation_samples import LIMITS

TARGET = Target("answer", ("no", "yes"), "yes")


def schema_of(**changes: Any) -> Schema:
    words: dict[str, Any] = {"categories": ("a", "b"), "checks": {"isin": ["a", "b"]}, "unseen": "other"}
    return Schema("made", (Column("plan", "category", "category", nullable=True, **{**words, **changes}),), TARGET)


def frame_of(*words: str | None) -> pd.DataFrame:
    return pd.DataFrame({"plan": pd.array(words, dtype="string"), "answer": ["no", "yes"] * (len(words) // 2)})


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["a", "b", None, "a"], ()),
        (["a", "c", "c", "d"], (UnseenWords("plan", 4, 3, (("c", 2), ("d", 1))),)),
        (["f", "e", "d", "c", "x", "w"], (UnseenWords("plan", 6, 6, tuple((word, 1) for word in "cdefw")),)),
    ],
)
def test_unlisted_words_are_counted_with_the_most_frequent_first(
    words: list[str | None], expected: tuple[UnseenWords, ...]
) -> None:
    assert count_unseen_words(open_rows(frame_of(*words), schema_of()), schema_of()) == expected


@pytest.mark.parametrize("changes", [{"unseen": "refuse"}, {"role": "ignore"}])
def test_only_open_features_are_counted(changes: dict[str, Any]) -> None:
    assert count_unseen_words(open_rows(frame_of("c", "d"), schema_of(**changes)), schema_of(**changes)) == ()


def test_words_of_a_private_column_are_not_shown() -> None:
    (found,) = count_unseen_words(open_rows(frame_of("c", "a"), schema_of(store="bin")), schema_of(store="bin"))
    assert found.message == "1 of 2 rows has a word that checks.isin does not list; it is encoded as other"


def test_too_many_words_are_counted_without_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.validation.unseen_words._MAX_COUNTED_WORDS", 2)
    found = count_unseen_words(open_rows(frame_of("c", "d", "e", "c"), schema_of()), schema_of())
    assert found == (UnseenWords("plan", 4, 4, ()),)


@pytest.mark.parametrize("pandera_max_rows", [1, 1_000])
def test_validation_warns_of_unlisted_words_and_fails_no_row(pandera_max_rows: int) -> None:
    limits = LIMITS.model_copy(update={"pandera_max_rows": pandera_max_rows})
    report = validate_rows(frame_of(*"abcabcabcabc"), schema_of(), limits)
    (finding,) = (finding for finding in report.findings if finding.rule == "unseen")
    assert (finding.level, finding.column, finding.n_failed) == ("warning", "plan", 4)
    assert not report.failed_rows.count()
    strict = SeverityThresholds(warning=0.0, error=0.1, critical=None)
    limits = limits.model_copy(update={"rules": {**limits.rules, "unseen": strict}})
    report = validate_rows(frame_of(*"abcabcabcabc"), schema_of(), limits)
    assert [finding.level for finding in report.findings if finding.rule == "unseen"] == ["error"]
