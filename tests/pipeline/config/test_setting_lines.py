"""The line of a setting is that of its key in the file, whatever the group of the file is."""

from __future__ import annotations

import pytest

from pipeline.config.setting_lines import setting_lines

TEXT = """# A question?
defaults:
  - _self_
  - model: forest
folds: 5
threshold: {rule: fixed,
  value: 0.5}
steps: [1, 2]
"""


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("training.folds", 5),
        ("folds", 5),
        ("training.threshold.rule", 6),
        ("training.threshold.value", 7),
        ("training.threshold.missing", 6),
        ("defaults.model", 4),
        ("steps", 8),
    ],
)
def test_a_key_has_its_line(key: str, line: int) -> None:
    assert setting_lines(TEXT, [key]) == {key: line}


@pytest.mark.parametrize("text", [TEXT, "", "plain text"])
def test_an_unknown_key_has_no_line(text: str) -> None:
    assert setting_lines(text, ["seed", "other.seed"]) == {}
