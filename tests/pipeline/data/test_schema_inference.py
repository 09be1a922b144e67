from typing import Any

import pyarrow as pa
import pytest

from pipeline.data.schema_inference import infer_columns, infer_missing_values, infer_target
from pipeline.errors import DataError


def infer_single_column(*words: str | None, name: str = "column", known: Any = None) -> Any:
    return infer_columns(pa.table({name: pa.array(words, pa.string())}), target="answer", known={name: known})[0]


@pytest.mark.parametrize(
    ("words", "dtype"),
    [
        (("1", "2", "2"), "Int64"),
        (("1.0", None, "2.0"), "Int64"),
        (("1", "2.5"), "Float64"),
        (("1e-3", "2"), "Float64"),
        (("007", "008", "007"), "category"),
        (("True", "false"), "boolean"),
        (("Yes", "No"), "category"),
        (("2026-01-31", "2026-02-01"), "datetime64[us]"),
        (("2026-01-31 10:00:00", None, "2026-02-01"), "datetime64[us]"),
        (("31.01.2026", "01.02.2026"), "category"),
        (("99999999999999999999", "1"), "Float64"),
        ((None, None), "string"),
    ],
)
def test_types_are_those_of_the_strict_reader(words: tuple[str | None, ...], dtype: str) -> None:
    assert infer_single_column(*words).dtype == dtype


def test_gaps_are_allowed_where_there_are_some() -> None:
    assert (infer_single_column("1", None).nullable, infer_single_column("1", "2").nullable) == (True, False)


@pytest.mark.parametrize(
    ("words", "minimum", "maximum"),
    [
        (("3", "97", "3"), 3, 97),
        (("-7", "0"), -7, 0),
        (("1234", "-1234"), -1300, 1300),
        (("0.037", "0.0371"), 0, 0.038),
        (("-2.51", "8.0"), -2.6, 8),
        (("1999.5", "2026.0"), 0, 2100),
    ],
)
def test_ranges_are_rounded_outward_to_what_people_read(words: tuple[str, ...], minimum: float, maximum: float) -> None:
    assert infer_single_column(*words).checks == {"in_range": {"min_value": minimum, "max_value": maximum}}


@pytest.mark.parametrize(
    ("name", "words", "role"),
    [
        ("id", ("5", "3", "9"), "id"),
        ("customer_id", ("C1", "C2", "C3"), "id"),
        ("userId", ("a", "b", "c"), "id"),
        ("paid", ("5", "3", "9"), "feature"),
        ("row", tuple(map(str, range(100, 130))), "id"),
        ("age", tuple(str(number * 2) for number in range(30)), "feature"),
        ("id", ("5", "5", "9"), "feature"),
        ("code", tuple(f"X{number}" for number in range(60)), "id"),
        ("comment", tuple(f"said {number}" for number in range(60)), "ignore"),
        ("always", ("1", "1"), "ignore"),
        ("never", (None, None), "ignore"),
        ("seen", ("2026-01-31", "2026-02-01"), "time"),
    ],
)
def test_ids_times_and_constant_columns_are_not_features(name: str, words: tuple[str, ...], role: str) -> None:
    assert infer_single_column(*words, name=name).role == role


def test_a_type_that_is_known_is_not_guessed() -> None:
    assert infer_single_column("1", "2", known="float").dtype == "Int64"
    assert infer_single_column("true", "false", known="boolean").dtype == "boolean"
    assert infer_single_column("true", "false", known="text").dtype == "category"


def test_a_decimal_comma_is_refused() -> None:
    with pytest.raises(DataError, match="column: numbers with a decimal comma, such as '1,5'"):
        infer_single_column("1,5", "2,25")


def test_missing_value_words_are_inferred_only_when_unambiguous() -> None:
    table = pa.table({"number": ["1", "?", "None"], "word": ["None", "-", "x"], "other": ["NA", "a", "b"]})
    assert infer_missing_values(table) == ("", "?", "NA", "None")


@pytest.mark.parametrize(
    ("words", "classes", "positive"),
    [
        (["no", "yes", "yes"], ("no", "yes"), "yes"),
        (["0", "1", "1"], ("0", "1"), "1"),
        (["red", "red", "blue"], ("blue", "red"), "blue"),
        (["10", "9", "11"], ("9", "10", "11"), None),
    ],
)
def test_classes_are_sorted_and_the_positive_class_is_inferred(
    words: list[str], classes: tuple[str, ...], positive: str | None
) -> None:
    found = infer_target(pa.table({"answer": words}), "answer")
    assert (found.classes, found.positive) == (classes, positive)


@pytest.mark.parametrize(
    ("target", "message"),
    [("anwser", "did you mean 'answer'"), ("same", "has 1 class"), ("number", "60 distinct values")],
)
def test_a_column_that_is_no_set_of_classes_is_refused(target: str, message: str) -> None:
    table = pa.table({"answer": ["a", "b"] * 30, "same": ["a"] * 60, "number": [str(number) for number in range(60)]})
    with pytest.raises(DataError, match=message):
        infer_target(table, target)
