from typing import Any

import pyarrow as pa
import pytest

from pipeline.data.schema_inference import infer_columns, infer_missing_values
from pipeline.errors import DataError


def infer_single_column(*texts: str | None, name: str = "column", known: Any = None) -> Any:
    return infer_columns(pa.table({name: pa.array(texts, pa.string())}), target="outcome", known={name: known})[0]


@pytest.mark.parametrize(
    ("texts", "dtype"),
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
def test_types_follow_the_strict_reader(texts: tuple[str | None, ...], dtype: str) -> None:
    assert infer_single_column(*texts).dtype == dtype


def test_column_with_missing_values_is_nullable() -> None:
    assert (infer_single_column("1", None).nullable, infer_single_column("1", "2").nullable) == (True, False)


@pytest.mark.parametrize(
    ("name", "texts", "checks"),
    [
        ("tenure", ("0", "72", "3"), {}),
        ("height", ("151.5", "200"), {}),
        ("balance", ("-1234", "1234"), {}),
        ("rating", ("1", "5"), {}),
        ("is_new", ("0", "1", "1"), {"in_range": {"min_value": 0, "max_value": 1}}),
        ("only_ones_and_twos", ("1", "2"), {}),
        ("vat_percent", ("0.5", "19"), {"in_range": {"min_value": 0, "max_value": 100}}),
        ("Share (%)", ("3", "97"), {"in_range": {"min_value": 0, "max_value": 100}}),
        ("growth_pct", ("-3", "97"), {}),
        ("growth_pct", ("3", "140"), {}),
        ("percentile_rank", ("3", "97"), {}),
    ],
)
def test_only_plainly_bounded_numbers_get_a_range(name: str, texts: tuple[str, ...], checks: dict[str, Any]) -> None:
    assert infer_single_column(*texts, name=name).checks == checks


@pytest.mark.parametrize(
    ("texts", "is_open"),
    [
        (("red", "blue"), True),
        (("male", "female"), True),
        (("a", "b", "c"), True),
        (("yes", "no"), False),
        (("Y", "N"), False),
        (("yes", "yes", "maybe"), True),
        (("1", "2"), False),
    ],
)
def test_a_list_of_words_is_open_unless_they_answer_yes_or_no(texts: tuple[str, ...], is_open: bool) -> None:
    assert infer_single_column(*texts).is_open is is_open


@pytest.mark.parametrize(
    ("name", "texts", "role"),
    [
        ("id", ("5", "3", "9"), "id"),
        ("customer_id", ("C1", "C2", "C3"), "id"),
        ("userId", ("a", "b", "c"), "id"),
        ("paid", ("5", "3", "9"), "feature"),
        ("row", tuple(map(str, range(100, 130))), "id"),
        ("age", tuple(str(number * 2) for number in range(30)), "feature"),
        ("id", ("5", "5", "9"), "feature"),
        ("code", tuple(f"X{number}" for number in range(60)), "id"),
        ("comment", tuple(f"remark {number}" for number in range(60)), "ignore"),
        ("always", ("1", "1"), "ignore"),
        ("present_or_not", ("1", None), "feature"),
        ("never", (None, None), "ignore"),
        ("seen", ("2026-01-31", "2026-02-01"), "time"),
    ],
)
def test_ids_times_and_constant_columns_are_not_features(name: str, texts: tuple[str, ...], role: str) -> None:
    assert infer_single_column(*texts, name=name).role == role


def test_known_type_is_not_inferred() -> None:
    assert infer_single_column("1", "2", known="float").dtype == "Int64"
    assert infer_single_column("true", "false", known="boolean").dtype == "boolean"
    assert infer_single_column("true", "false", known="text").dtype == "category"


def test_a_decimal_comma_is_refused() -> None:
    with pytest.raises(DataError, match="column: numbers with a decimal comma, such as '1,5'"):
        infer_single_column("1,5", "2,25")


def test_null_values_are_inferred_only_when_unambiguous() -> None:
    table = pa.table({"number": ["1", "?", "None"], "text": ["None", "-", "x"], "other": ["NA", "a", "b"]})
    assert infer_missing_values(table) == ("", "?", "NA", "None")


@pytest.mark.parametrize(
    ("texts", "example"),
    [
        (("52437", "987654", "41250"), 52000),
        (("249.5", "-3.25", "1e9"), 250.0),
        (("1.79e308", "1.78e308", "1.79e308"), 0.0),
        (("2026-03-17", "2025-01-02", "2027-01-01"), "2026-03-01"),
        (("37",) * 5 + ("20", "99"), 37),
        (("2026-03-17",) * 5 + ("2025-01-02",), "2026-03-17"),
    ],
)
def test_an_example_is_no_value_of_fewer_than_five_rows(texts: tuple[str, ...], example: Any) -> None:
    assert infer_single_column(*texts).example == example
