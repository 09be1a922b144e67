from typing import Any

import pyarrow as pa
import pytest

from pipeline.data.kind_recognition import RecognizedColumn, recognize_column
from pipeline.data.schema_inference import infer_columns
from pipeline.schema import TextFormat


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
        (("31.01.2026", "01.02.2026"), "datetime64[us]"),
        (("99999999999999999999", "1"), "category"),
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
        ("age", tuple(str(number * 7 % 61) for number in range(30)), "feature"),
        ("id", ("5", "5", "9"), "feature"),
        ("rownames", tuple(map(str, range(1, 31))), "id"),
        ("code", tuple(f"X{number}" for number in range(60)), "id"),
        ("comment", tuple(f"remark {number}" for number in range(60)), "feature"),
        ("always", ("1", "1"), "ignore"),
        ("present_or_not", ("1", None), "feature"),
        ("never", (None, None), "ignore"),
        ("seen", ("2026-01-31", "2026-02-01"), "feature"),
    ],
)
def test_ids_and_constant_columns_are_not_features(name: str, texts: tuple[str, ...], role: str) -> None:
    assert infer_single_column(*texts, name=name).role == role


def test_known_type_is_not_inferred() -> None:
    assert infer_single_column("1", "2", known=RecognizedColumn(TextFormat("float"), "numbers")).dtype == "Float64"
    berlin = recognize_column("seen", pa.array([0, 10**15], pa.timestamp("us", "Europe/Berlin")))
    column = infer_single_column("1970-01-01T00:00:00", "2001-09-09T01:46:40", known=berlin)
    assert (column.dtype, column.keys, column.example) == (
        "datetime64[us]",
        {"zone": "Europe/Berlin"},
        "2001-09-01",
    )


def test_a_word_among_codes_follows_the_other_columns() -> None:
    codes = ["AA", "BB", "CC", "DD", "EE", "FF", "GG", "HH", "II", "JJ", "NA"]
    sizes = [*map(str, range(10)), "NA"]
    state, _ = infer_columns(pa.table({"state": codes, "size": sizes}), target="outcome", known={})
    country, _ = infer_columns(pa.table({"country": codes, "size": ["1"] * 11}), target="outcome", known={})
    assert (state.keys, state.nullable) == ({"null_values": ["NA"]}, True)
    assert ("NA" in country.checks["isin"], country.nullable) == (True, False)


@pytest.mark.parametrize(
    ("texts", "encode"),
    [
        ([f"place {at % 60}" for at in range(240)], "words"),
        ([f"name {at}" for at in range(100)], "text"),
        ([f"it was late on day {at % 60} of the year" for at in range(240)], "text"),
        ([f"A/{at}" for at in range(100)], "text"),
    ],
)
def test_words_repeat_and_texts_do_not(texts: list[str], encode: str) -> None:
    column = infer_columns(
        pa.table({"id": [f"{at:04}" for at in range(len(texts))], "column": texts}), target="outcome", known={}
    )[1]
    assert (column.dtype, column.role, column.keys, column.checks) == ("string", "feature", {"encode": encode}, {})


@pytest.mark.parametrize(
    ("texts", "dtype", "keys"),
    [
        (("?", *["1", "2"] * 30), "Int64", {"null_values": ["?"]}),
        (("$1.50", "$2"), "Float64", {"strip": ["$"]}),
        (("14.05.2024", "31.12.2024"), "datetime64[us]", {"format": "%d.%m.%Y"}),
        (("T", "F"), "boolean", {"true_values": ["T"], "false_values": ["F"]}),
    ],
)
def test_how_texts_become_values_is_declared_and_reported(texts: Any, dtype: str, keys: dict[str, Any]) -> None:
    column = infer_single_column(*texts)
    assert (column.dtype, dict(column.keys), column.role) == (dtype, keys, "feature")
    assert column.assumptions


def test_dates_of_an_undecided_form_are_not_read_and_the_key_is_named() -> None:
    column = infer_single_column("03/04/2024", "05/06/2024", "01/02/2024")
    assert (column.dtype, column.role) == ("string", "ignore")
    assert any("format" in assumption for assumption in column.assumptions)


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


def test_numbers_among_many_other_texts_are_reported() -> None:
    texts = [f"{number}.25" for number in range(60)] + [f"({number}.25)" for number in range(20)]
    assert "20 of 80 cells differ: '(0.25)'" in infer_single_column(*texts).assumptions[0]
