from __future__ import annotations

import pytest

from pipeline.config.groups.source_config import CsvDialect
from pipeline.data.csv_header import count_fields, parse_fields, parse_names


@pytest.mark.parametrize(
    ("text", "settings", "n_fields", "names"),
    [
        (" a , b", {}, 2, ["a", "b"]),
        ('"a\nb",c', {}, 2, ["a b", "c"]),
        (",a,b", {"index_column": "row"}, 3, ["row", "a", "b"]),
        ("a,b", {"index_column": "row"}, 3, ["row", "a", "b"]),
        ("a,b", {"index_column": "row"}, 2, ["a", "b"]),
        (",a,b", {}, 3, ["", "a", "b"]),
        ("a,b,,", {"trailing_delimiter": True}, 2, ["a", "b"]),
        ("a,b,", {}, 3, ["a", "b", ""]),
    ],
)
def test_names_are_those_of_the_dialect(text: str, settings: dict[str, str], n_fields: int, names: list[str]) -> None:
    assert parse_names(text, CsvDialect(**settings), n_fields=n_fields) == names


def test_fields_are_split_outside_quotes() -> None:
    assert parse_fields('a,"b,c"', CsvDialect()) == ["a", "b,c"]
    assert [count_fields(text, CsvDialect()) for text in ('a,"b,c"', 'a,"b', "")] == [2, 0, 0]
