"""Values of a draft are YAML that every reader takes for the same value."""

import pytest

from pipeline.data.draft_yaml import render_value


@pytest.mark.parametrize(
    ("value", "text"), [(1e-05, "1.0e-05"), (1e22, "1.0e+22"), (2.5, "2.5"), (3, "3"), ("1e-05", '"1e-05"')]
)
def test_numbers_are_rendered_as_yaml_numbers(value: object, text: str) -> None:
    assert render_value(value) == text
