import pyarrow as pa
import pytest

from pipeline.data.number_recognition import Affixes, epoch_unit, find_affixes, number_shape, signs_in_numbers
from pipeline.schema import TextFormat


@pytest.mark.parametrize(
    ("texts", "affixes"),
    [
        (["$1", "-$2.50", "3"], Affixes(("$",), "$", "$1")),
        (["1 month", "2 months"], Affixes(("month", "months"), "months", "1 month")),
        (["1 kg", "2 lb"], None),
        (["1", "2"], None),
        (["A1", "A2"], None),
        (["free", "none", "$1"], None),
    ],
)
def test_one_currency_or_unit_is_found_around_numbers(texts: list[str], affixes: Affixes | None) -> None:
    assert find_affixes(pa.array(texts)) == affixes


@pytest.mark.parametrize(
    ("name", "texts", "unit"),
    [
        ("seen_at", ["1715702709"], ("epoch_s", True)),
        ("count", ["1715702709"], ("epoch_s", False)),
        ("ts", ["1715702709000000000"], ("epoch_ns", True)),
        ("count", ["20240101", "20240102", "20240103"], ("%Y%m%d", True)),
        ("count", ["20240101", "20240132", "20240103"], None),
        ("seen_at", ["17", "18"], None),
    ],
)
def test_counts_of_time_are_those_of_plausible_years(
    name: str, texts: list[str], unit: tuple[str, bool] | None
) -> None:
    found = epoch_unit(name, pa.array(texts), TextFormat("integer"))
    assert unit == (None if found is None else (found.format, found.is_named))


@pytest.mark.parametrize("texts", [["1", "2"], ["1.5", "007"], ["a"]])
def test_other_texts_may_be_numbers(texts: list[str]) -> None:
    assert number_shape(pa.array(texts)) is None


@pytest.mark.parametrize(
    ("texts", "settings"),
    [
        (["1.234", "12.345.678"], ["data.source.thousands: \".\" reads '1.234' as 1234"]),
        (["1 200", "10"], ["data.source.thousands: \" \" reads '1 200' as 1200"]),
        (["1,5", "2"], ["data.source.decimal: \",\" reads '1,5' as 1.5"]),
        (["1.5", "2.25"], []),
        ([*map(str, range(100, 130)), "1,000"], ["data.source.thousands: \",\" reads '1,000' as 1000"]),
    ],
)
def test_signs_in_numbers_name_the_settings_that_read_them(texts: list[str], settings: list[str]) -> None:
    assert signs_in_numbers(pa.array(texts)) == settings
