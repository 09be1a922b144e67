from __future__ import annotations

import pyarrow as pa
import pytest

from pipeline.data.number_detection import DetectedSigns, detect_signs


@pytest.mark.parametrize(
    ("columns", "signs"),
    [
        ([["1.5", "2"]], (".", None)),
        ([["12,5", "3"]], (",", None)),
        ([["0,125", "3,250"]], (",", None)),
        ([["1,100.50", "7"]], (".", ",")),
        ([["1.100,50", "7"]], (",", ".")),
        ([["1,234,567", "7"]], (".", ",")),
        ([["1.234.567", "7"]], (",", ".")),
        ([["1 100", "7", "1 234 567"]], (".", " ")),
        ([["1\u00a0100,5", "7"]], (",", " ")),
        ([["1'100.5", "7"]], (".", "'")),
        ([["1_100", "7"]], (".", "_")),
        ([["1,100", "2,101"], ["12.5", "7"]], (".", ",")),
        ([["1,100", "2,101"], ["12,5", "7"]], (",", None)),
        ([["1.100", "2.101"], ["12,5", "7"]], (",", ".")),
        ([["1,100", "2,101", "12,001", "7", "950", "12"]], (".", ",")),
        ([["$1,100.50", "$7.25"]], (".", ",")),
        ([["-12,5", "3 %", "n/a", "4", "5", "6", "7"]], (",", None)),
    ],
)
def test_the_numbers_of_all_columns_decide(columns: list[list[str]], signs: tuple[str, str | None]) -> None:
    detected = detect_signs({f"c{i}": pa.chunked_array([column]) for i, column in enumerate(columns)})
    assert (detected.decimal, detected.thousands, detected.is_ambiguous) == (*signs, False)


@pytest.mark.parametrize(
    "texts",
    [
        ["14.05.2024", "01.06.2024"],
        ["192.168.100.200", "10.0.0.1"],
        ["555 123 456", "555 987 654"],
        ["1,2 and more", "3"],
        ["2024-01-01", "2024-01-02"],
        ["48.1,11.5", "48.2,11.6"],
        ["1.2.3", "1.10.0"],
        ["7", "8"],
    ],
)
def test_texts_that_are_no_numbers_have_no_vote(texts: list[str]) -> None:
    assert detect_signs({"c": pa.chunked_array([texts])}) == DetectedSigns()


@pytest.mark.parametrize("texts", [["1,100", "2,101"], ["1,100", "2,101", "7"], ["12,000", "1500", "7", "8", "9"]])
def test_three_digits_behind_every_comma_are_ambiguous(texts: list[str]) -> None:
    detected = detect_signs({"price": pa.chunked_array([texts])})
    assert detected == DetectedSigns(columns=("price",), example=texts[0], is_ambiguous=True)


def test_columns_that_contradict_each_other_keep_the_signs_of_most() -> None:
    columns = {"a": ["1.5"], "b": ["2.25"], "c": ["3,5"]}
    assert detect_signs({name: pa.chunked_array([texts]) for name, texts in columns.items()}) == DetectedSigns()
