"""`${other.key}` is checked before it is resolved; cycles, resolvers and huge results are errors."""

from __future__ import annotations

import pytest

from pipeline.config.interpolation import check_interpolations
from pipeline.errors import ConfigError


def test_a_reference_to_a_plain_value_is_accepted() -> None:
    check_interpolations({"a": 1, "b": "${a}", "c": {"d": "x-${b}-${a}"}, "e": r"\${not.one}"})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"a": "${a}"}, "a: refers to itself"),
        ({"a": "${b}", "b": "${c}", "c": "${a}"}, "refers to itself: a -> b -> c -> a"),
        ({"a": "${none}"}, r"a: \$\{none\} refers to a key that does not exist"),
        ({"a": "${b}", "b": {"c": 1}}, "a: "),
        ({"a": "${oc.env:HOME}"}, "is not used here"),
        ({"a": {"b": ["${now:%Y}"]}}, r"a\.b\.0: .* is not used here"),
        ({"a": "${${b}}", "b": "c", "c": 1}, "is not used here"),
        ({"a": "${b"}, "is not used here"),
        ({"a": "${.b}", "b": 1}, "is not used here"),
    ],
)
def test_an_invalid_reference_is_refused_with_its_key(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_interpolations(values)


def test_a_chain_that_grows_exponentially_is_refused() -> None:
    values = {"a0": "x" * 10, **{f"a{n}": f"${{a{n - 1}}}" * 10 for n in range(1, 9)}}
    with pytest.raises(ConfigError, match="more than 10,000 characters"):
        check_interpolations(values)
