"""Bodies are parsed strictly, and each error names the field and what is expected."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.schema import Column, Schema, Target
from pipeline.serving.http import json_schemas, open_inference
from pipeline.serving.rows.row_parser import RowParser
from pipeline.serving.serving_errors import BodyTooLarge, InvalidRequest, MalformedBody

if TYPE_CHECKING:
    from collections.abc import Callable

SCHEMA = Schema(
    "small",
    (
        Column("count", "integer", "Int64", nullable=True, minimum=0, maximum=11, unit="hours",
               checks={"in_range": {"min_value": 0, "max_value": 11}}, example=4),
        Column("size", "float", "Float64", checks={"gt": 0}, minimum=0),
        Column("colour", "category", "category", nullable=True, categories=("blue", "red"),
               checks={"isin": ["blue", "red"]}),
        Column("is_new", "boolean", "boolean", nullable=True),
        Column("note", "text", "string", nullable=True, checks={"str_length": {"min_value": 1, "max_value": 5}}),
        Column("seen_at", "datetime", "datetime64[us]", nullable=True),
        Column("row", "integer", "Int64", role="id"),
    ),
    Target("outcome", ("no", "yes"), "yes"),
)  # fmt: skip
PARSER = RowParser(SCHEMA, max_rows=3)


def raised_error(body: bytes) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        PARSER.parse_row(body)
    return caught.value


def row_body(**features: Any) -> bytes:
    return json.dumps({"features": {"size": 1.5, **features}}).encode()


def test_a_row_is_read_in_the_order_of_the_features_and_absent_is_missing() -> None:
    rows = PARSER.parse_row(row_body(seen_at="2026-01-31T18:30:00", colour="red", count=4, is_new=True))
    assert rows.rows[0] == (4, 1.5, "red", True, None, "2026-01-31T18:30:00")


@pytest.mark.parametrize("name", ["index", "", "Unnamed: 0"])
def test_the_unnamed_first_column_of_the_file_may_come_along(name: str) -> None:
    parser = RowParser(replace(SCHEMA, dialect={"index_column": "index"}), max_rows=3)
    assert parser.parse_row(row_body(**{name: 7})).rows[0][1] == 1.5
    with pytest.raises(InvalidRequest, match="is not a feature of this model"):
        PARSER.parse_row(row_body(**{name: 7}))


def test_blanks_around_a_name_are_left_out_as_in_a_header_of_csv() -> None:
    assert PARSER.parse_row(row_body(**{"count ": 4, " row": 1})).rows[0][0] == 4
    with pytest.raises(InvalidRequest, match="is not a feature of this model"):
        PARSER.parse_row(row_body(**{"count ": 4, "count": 5}))


def test_a_whole_number_may_be_written_as_a_float() -> None:
    assert PARSER.parse_row(row_body(count=4.0)).rows[0][0] == 4


@pytest.mark.parametrize(
    ("features", "path", "rule"),
    [
        ({"count": 4.5}, "features.count", "type"),
        ({"count": True}, "features.count", "type"),
        ({"count": "4"}, "features.count", "type"),
        ({"count": 12}, "features.count", "in_range"),
        ({"count": 10**30}, "features.count", "type"),
        ({"size": None}, "features.size", "missing"),
        ({"size": 0}, "features.size", "gt"),
        ({"size": [1]}, "features.size", "type"),
        ({"colour": "green"}, "features.colour", "isin"),
        ({"colour": 1}, "features.colour", "isin"),
        ({"colour": 1.5}, "features.colour", "type"),
        ({"is_new": 1}, "features.is_new", "type"),
        ({"note": ""}, "features.note", "str_length"),
        ({"note": "a\0b"}, "features.note", "type"),
        ({"note": "\ud800"}, "features.note", "type"),
        ({"seen_at": "2026-02-30"}, "features.seen_at", "type"),
        ({"seen_at": "2026-01-31T18:30:00Z"}, "features.seen_at", "type"),
        ({"Count": 1}, "features.Count", "unknown"),
    ],
)
def test_a_wrong_field_is_named_with_its_rule(features: dict[str, Any], path: str, rule: str) -> None:
    (problem,) = raised_error(row_body(**features)).errors
    assert (problem.path, problem.rule) == (path, rule)


def test_error_of_a_text_with_a_nul_character_names_it() -> None:
    (problem,) = raised_error(row_body(note="a\0b")).errors
    assert problem.message.endswith("; found a string with a NUL character")


def test_error_names_what_is_expected_and_never_the_value() -> None:
    (problem,) = raised_error(row_body(count=777)).errors
    assert problem.message == "expected a whole number from 0 to 11 (unit: hours), such as 4, or null"
    assert "did you mean 'count'" in str(raised_error(row_body(Count=1)))


@pytest.mark.parametrize("count", [2**63, -(2**63) - 1, 2**64, 10**30])
def test_integer_beyond_64_bits_is_an_error_of_its_own(count: int) -> None:
    (problem,) = raised_error(row_body(count=count)).errors
    assert (problem.path, problem.message.partition("; ")[2]) == (
        "features.count",
        "found a number that 64 bits cannot hold",
    )


def test_all_wrong_fields_are_named_at_once() -> None:
    error = raised_error(row_body(count=12, colour="green", what=1))
    assert [field.path for field in error.errors] == ["features.what", "features.count", "features.colour"]
    assert (type(error), error.n_errors) == (InvalidRequest, 3)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b'{"features": {"size": NaN}}',
        b'{"features": {"size": 1e400}}',
        b'{"features": {"size": -Infinity}}',
        b'{"features": {"size": 1, "size": 2}}',
        b'{"features": {"size": 1, "size" :2}}',
        b'{"features": {"size": 1}, "features": {"size": 1}}',
        b'{"features": {"size": 1, "note": "\\u003a", "count": 1, "count": 2}}',
        b'{"features": {"size": 1}} x',
        b'\xef\xbb\xbf{"features": {"size": 1}}',
        b'{"features": {"size": 1, "note": "\xff"}}',
        b'{"features": {"size": ' + b"[" * 100_000,
        b'{"features": {"size": ' + b"9" * 5000 + b"}}",
    ],
)
def test_malformed_json_is_refused(raw: bytes) -> None:
    assert type(raised_error(raw)) is MalformedBody


@pytest.mark.parametrize("raw", [b"[]", b"1", b"null", b"{}", b'{"features": 1}', b'{"features": {}, "x": 1}'])
def test_wrong_structure_is_refused(raw: bytes) -> None:
    assert type(raised_error(raw)) is InvalidRequest


def test_invalid_row_refuses_its_batch_and_is_named() -> None:
    raw = json.dumps({"instances": [{"size": 1.0}, {"size": 1.0, "count": 12}]}).encode()
    with pytest.raises(InvalidRequest, match=r"^instances\[1\]\.count: expected a whole number from 0 to 11"):
        PARSER.parse_batch(raw)
    rows = PARSER.parse_batch(raw, partial=True)
    assert (rows.positions, rows.error_positions) == ([0], (1,))


@pytest.mark.parametrize(("n_rows", "error_class"), [(0, InvalidRequest), (4, BodyTooLarge)])
def test_a_batch_has_at_least_one_row_and_no_more_than_allowed(n_rows: int, error_class: type[InvalidRequest]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        PARSER.parse_batch(json.dumps({"instances": [{"size": 1.0}] * n_rows}).encode())
    assert type(caught.value) is error_class


_VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-3, 14)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text('ab:\\"é2026-1', max_size=6)
)


COMPLETE_ROW = {"count": 4, "size": 1.5, "colour": "red", "is_new": True, "note": "ab", "seen_at": "2026-01-31"}


@given(st.sampled_from([{}, COMPLETE_ROW]), st.dictionaries(st.sampled_from(SCHEMA.feature_names), _VALUES))
def test_fast_and_slow_parsing_agree(others: dict[str, Any], some: dict[str, Any]) -> None:
    features = {**others, **some}
    # An escaped colon, which the quick count cannot explain, sends a body the slow way.
    slow = json.dumps({"instances": [features, {"size": 1.0, "note": "@"}]}).replace("@", "\\u003a").encode()
    expected = result_or_error(lambda: PARSER.parse_batch(slow).rows[0])
    assert result_or_error(lambda: PARSER.parse_row(json.dumps({"features": features}).encode()).rows[0]) == expected
    assert (
        result_or_error(lambda: PARSER.parse_batch(json.dumps({"instances": [features]}).encode()).rows[0]) == expected
    )
    columns = {"size": [None], **{name: [value] for name, value in features.items()}}
    assert result_or_error(lambda: PARSER.parse_columns(columns).rows[0]) == expected


def result_or_error(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except InvalidRequest as error:
        return [(field.path.rpartition(".")[2], field.rule) for field in error.errors]


def test_exclusive_bound_holds_in_a_complete_row() -> None:
    (problem,) = raised_error(json.dumps({"features": {**COMPLETE_ROW, "size": 0}}).encode()).errors
    assert (problem.path, problem.rule) == ("features.size", "gt")
    properties = json_schemas.features_schema(SCHEMA)["properties"]
    assert [properties["size"].get(key) for key in ("minimum", "exclusiveMinimum")] == [None, 0]
    assert [properties["count"].get(key) for key in ("minimum", "maximum")] == [0, 11]


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        (Column("a", "boolean", "boolean", checks={"isin": [True]}), False, "isin"),
        (Column("a", "category", "category", categories=("x", "y"), checks={"isin": ["x", "y"], "ge": "y"}), "x", "ge"),
    ],
)
def test_check_without_decoder_form_runs_after_decoding(column: Column, value: Any, rule: str) -> None:
    codec = RowParser(Schema("small", (column,), SCHEMA.target), max_rows=1)
    for read in (
        lambda: codec.parse_row(json.dumps({"features": {"a": value}}).encode()).rows,
        lambda: codec.parse_batch(json.dumps({"instances": [{"a": value}]}).encode()).rows,
        lambda: codec.parse_columns({"a": [value]}).rows,
    ):
        assert result_or_error(read) == [("a", rule)]


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), 1e308])
def test_columns_have_finite_numbers_however_large(value: float) -> None:
    columns = {"size": [1e308, 1e308, value]}
    if value == 1e308:
        assert [row[1] for row in PARSER.parse_columns(columns).rows] == [1e308, 1e308, 1e308]
    else:
        with pytest.raises(InvalidRequest, match=r"rows\[2\]\.size: expected a number"):
            PARSER.parse_columns(columns)


def test_nan_in_a_column_is_a_missing_value() -> None:
    columns = {"size": [1.0, 2.0], "count": [float("nan"), 3.0], "note": [None, float("nan")]}
    assert PARSER.parse_columns(columns).rows == [(None, 1.0, None, None, None, None), (3, 2.0, None, None, None, None)]


@given(st.binary(max_size=40) | st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_arbitrary_bytes_are_only_refused(raw: bytes) -> None:
    assert raised_error(raw).n_errors >= 1


def test_body_with_too_many_values_is_refused_before_decoding() -> None:
    error = raised_error(b'{"features": [' + b"1," * 200_000 + b"1]}")
    assert (type(error), error.errors[0].rule) == (BodyTooLarge, "max_values")
    with pytest.raises(InvalidRequest, match="has far more values"):
        PARSER.parse_batch(b'{"instances": [' + b"{}," * 2_000_000 + b"{}]}")
    head = b'{"inputs": [{"name": "size", "shape": [1], "datatype": "FP64", "data": ['
    with pytest.raises(InvalidRequest, match="has far more values"):
        open_inference.parse_request(head + b"1," * 200_000 + b"1]}]}", None, SCHEMA, max_rows=3)


def test_commas_in_texts_and_categories_are_not_counted_as_values() -> None:
    schema = Schema("notes", (Column("note", "text", "string"),), Target("outcome", ("no", "yes"), "yes"))
    long = "a, b: " * 10_000
    assert RowParser(schema, max_rows=1).parse_row(json.dumps({"features": {"note": long}}).encode()).rows == [(long,)]


def test_suggestions_are_limited_to_the_listed_errors() -> None:
    error = raised_error(json.dumps({"features": {"size": 1.5, **{f"coun{at}": 1 for at in range(100)}}}).encode())
    assert (error.n_errors, len(error.errors)) == (100, 20)
    assert all("did you mean 'count'?" in field.message for field in error.errors)


@pytest.mark.parametrize("extra", [{"row": 7}, {"row": "any"}, {"outcome": "yes"}, {"row": None, "outcome": "no"}])
def test_declared_columns_that_are_no_features_are_ignored(extra: dict[str, Any]) -> None:
    expected = PARSER.parse_row(row_body()).rows[0]
    batch = json.dumps({"instances": [{"size": 1.5, **extra}] * 2}).encode()
    columns = {"size": [1.5], **{name: [value] for name, value in extra.items()}}
    assert PARSER.parse_row(row_body(**extra)).rows == [expected]
    assert PARSER.parse_batch(batch).rows == [expected] * 2
    assert PARSER.parse_columns(columns).rows == [expected]


@pytest.mark.parametrize("name", ["rows", "Outcome", "out come"])
def test_an_undeclared_column_beside_them_is_still_refused(name: str) -> None:
    error = raised_error(row_body(row=7, **{name: 1}))
    assert [(field.path, field.rule) for field in error.errors] == [(f"features.{name}", "unknown")]


IDS = [7, "C-1", "2026-01-31T18:30:00", None, 2**70, 1.5, True, ["a", {"b": ":"}], "\u00e9"]


@pytest.mark.parametrize("value", IDS)
@pytest.mark.parametrize("note", ["ab", "a:b"])
def test_ids_come_back_with_their_rows(value: Any, note: str) -> None:
    member = json.loads(f"{{{PARSER.parse_row(row_body(row=value, note=note)).ids[0][1:]}}}")
    assert member == {"ids": {"row": value}}
    batch = {"instances": [{"size": 1.5, "note": note}, {"size": 2, "row": value, "outcome": "yes"}]}
    parsed = PARSER.parse_batch(json.dumps(batch).encode())
    assert [json.loads(f"{{{text[1:]}}}") for text in parsed.ids] == [{}, member]
    columns = PARSER.parse_columns({"size": [1.5], "row": [value], "note": [note]})
    assert json.loads(f"{{{columns.ids[0][1:]}}}") == member


def test_rows_without_ids_and_rows_with_private_ids_have_none() -> None:
    assert not PARSER.parse_row(row_body(outcome="yes")).ids
    private = replace(SCHEMA, columns=(*SCHEMA.columns[:-1], replace(SCHEMA.columns[-1], store="hash")))
    parser = RowParser(private, max_rows=3)
    assert not parser.parse_row(row_body(row=7)).ids
    assert not parser.parse_columns({"size": [1.5], "row": [7]}).ids


def test_ids_of_a_partial_batch_are_those_of_its_valid_rows() -> None:
    body = json.dumps({"instances": [{"size": 0, "row": 1}, {"size": 1, "row": 2}]}).encode()
    assert PARSER.parse_batch(body, partial=True).ids == [',"ids":{"row":2}']


@pytest.mark.parametrize("text", ["12:30", "::", '":"', "a\\u003a:"])
@pytest.mark.parametrize("duplicate", ['"size": 1.5', '"row": ":"', '"note": "::"'])
def test_a_key_that_occurs_twice_is_refused_whatever_colons_texts_have(text: str, duplicate: str) -> None:
    features = f'{{"size": 1.5, "row": {json.dumps(text)}, "note": {json.dumps(text[:5])}'
    sound, twice = (f'{{"features": {features}{more}}}}}'.encode() for more in ("", f", {duplicate}"))
    assert PARSER.parse_row(sound).rows
    with pytest.raises(MalformedBody, match="occurs more than once"):
        PARSER.parse_row(twice)
