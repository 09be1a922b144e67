"""Parse rows from JSON strictly: each value has its declared kind and passes its checks, or an error names it.

`FastDecoder` decodes and checks a valid body in one pass. Every other body is parsed again, value by value, to
list all of its errors.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.serving.rows.echoed_ids import echoed_id_names, echoed_json
from pipeline.serving.rows.fast_decoder import FastDecoder
from pipeline.serving.rows.value_checks import check_value
from pipeline.serving.serving_errors import BodyTooLarge, FieldError, InvalidRequest, MalformedBody

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.schema import Schema
    from pipeline.serving.prediction_types import LineMap
    from pipeline.serving.rows.fast_decoder import DecodedRow

__all__ = ["ParsedRows", "RowParser", "check_comma_count", "max_commas_per_row", "parse_json"]

# The line after the header of a CSV body.
_FIRST_DATA_LINE = 2
# The route of each body, for the error of a body that was sent to the other route.
_ROUTES_BY_KEY = {"features": "POST /predict", "instances": "POST /predict/batch"}
# A suggestion costs more than the check; only the listed errors get one.
_MAX_HINTS = 20
# The commas of larger bodies are counted before decoding, those of smaller ones after decoding fails.
_LARGE_BODY_BYTES = 4_000_000
_SPARE_COMMAS = 100_000


@dataclass(frozen=True, slots=True)
class ParsedRows:
    """The valid rows, each a tuple in the order of the features, with their positions in the request.

    `error_positions` has the position of the row of each error. `ids` has the member `ids` of the response to each
    row; it is empty where the request has no ids.
    """

    rows: list[DecodedRow]
    positions: list[int]
    errors: tuple[FieldError, ...] = ()
    error_positions: tuple[int, ...] = ()
    ids: Sequence[str] = ()


class RowParser:
    """Parses the bodies of one schema.

    Parameters
    ----------
    schema : Schema
        Its features are the fields of a row: a nullable one may be null or absent. Declared columns that are no
        features may be given, too, with any value. The response repeats ids; the others are ignored.
    max_rows : int
        Maximum number of rows of a body.
    """

    def __init__(self, schema: Schema, *, max_rows: int) -> None:
        self.columns = schema.features
        self.names = schema.feature_names
        self._schema = schema
        self._accepted_names = schema.accepted_names
        self.max_rows = max_rows
        self._id_names = echoed_id_names(schema)
        self._constraints = [column.value_constraints for column in self.columns]
        others = sorted(schema.accepted_names - set(self.names))
        self._fast_decoder = FastDecoder(self.columns, other_names=others, id_names=self._id_names)
        self._max_commas_per_row = max_commas_per_row(schema)

    def parse_row(self, body: bytes) -> ParsedRows:
        """Return the row of a body `{"features": {...}}`, as the only one.

        Raises
        ------
        InvalidRequest
            Naming each invalid field.
        """
        decoded = self._fast_decoder.decode_row(body)
        return self._parse_row_slowly(body) if decoded is None else ParsedRows(decoded.rows, [0], ids=decoded.ids)

    def parse_batch(self, body: bytes, *, partial: bool = False) -> ParsedRows:
        """Return the rows of a body `{"instances": [{...}, ...]}`; with `partial`, the valid ones.

        Raises
        ------
        InvalidRequest
            Naming each invalid field of each row; with `partial`, only when the body has no list of rows.
        """
        if len(body) > _LARGE_BODY_BYTES:
            check_comma_count(body, self.max_rows * self._max_commas_per_row)
        decoded = self._fast_decoder.decode_batch(body)
        if decoded is None or not 0 < len(decoded.rows) <= self.max_rows:
            return self._parse_batch_slowly(body, partial=partial)
        return ParsedRows(decoded.rows, list(range(len(decoded.rows))), ids=decoded.ids)

    def parse_columns(
        self, columns: Mapping[str, Sequence[Any]], *, partial: bool = False, lines: LineMap | None = None
    ) -> ParsedRows:
        """Return the rows of columns by name, None or NaN for a missing value; `lines` has their lines in a CSV body.

        Raises
        ------
        InvalidRequest
            Naming each invalid value.
        """
        lengths = {len(values) for values in columns.values()}
        if len(lengths) > 1:
            raise InvalidRequest.for_field("", "shape", "columns have different numbers of values")
        n_rows = next(iter(lengths), 0)
        self._check_row_count(n_rows if lines is None else lines.n_rows, "rows")
        unknown = self._unknown_feature_errors(columns, "")
        if unknown:
            raise InvalidRequest(unknown)
        decoded = self._fast_decoder.decode_columns(columns, n_rows) if lines is None or not lines.errors else None
        if decoded is not None:
            positions = (
                list(range(n_rows)) if lines is None else [number - _FIRST_DATA_LINE for number in lines.row_lines]
            )
            return ParsedRows(decoded.rows, positions, ids=decoded.ids)
        names = [*self.names, *(name for name in self._id_names if name in columns)]
        present = [columns.get(name) for name in names]
        raw_rows = zip(*([None] * n_rows if values is None else values for values in present), strict=True)
        tuples = (tuple(None if value != value else value for value in row) for row in raw_rows)  # noqa: PLR0124 - NaN
        rows = [dict(zip(names, row, strict=True)) for row in tuples]
        return self._validate_rows(rows, "rows", partial=partial, lines=lines)

    def _parse_row_slowly(self, body: bytes) -> ParsedRows:
        values = self._body_member(body, "features", dict, expected="an object of features by name", max_rows=1)
        row, errors = self._validate_row(values, "features")
        if errors:
            raise InvalidRequest(errors)
        return ParsedRows([row], [0], ids=self._ids_of(values))

    def _ids_of(self, values: dict[str, Any]) -> list[str]:
        ids = echoed_json(self._id_names, values)
        return [ids] if ids else []

    def _parse_batch_slowly(self, body: bytes, *, partial: bool) -> ParsedRows:
        rows = self._body_member(
            body, "instances", list, expected="a list of objects, one for each row", max_rows=self.max_rows
        )
        self._check_row_count(len(rows), "instances")
        return self._validate_rows(rows, "instances", partial=partial)

    def _check_row_count(self, n_rows: int, path: str) -> None:
        if n_rows > self.max_rows:
            message = f"has {n_rows} rows; a request accepts at most {self.max_rows}: split it"
            raise BodyTooLarge.for_field(path, "max_rows", message)
        if n_rows == 0:
            raise InvalidRequest.for_field(path, "min_rows", "has no rows; expected at least one")

    def _validate_rows(self, rows: list[Any], path: str, *, partial: bool, lines: LineMap | None = None) -> ParsedRows:
        valid_rows: list[DecodedRow] = []
        ids: list[str] = []
        positions: list[int] = []
        errors: list[FieldError] = []
        error_positions: list[int] = []
        if lines is not None:
            errors.extend(lines.errors)
            error_positions.extend(number - _FIRST_DATA_LINE for number in lines.error_lines)
        for at, values in enumerate(rows):
            where = f"{path}[{at}]" if lines is None else f"line {lines.row_lines[at]}"
            row, row_errors = self._validate_row(values, where, n_hints=_MAX_HINTS - len(errors))
            position = at if lines is None else lines.row_lines[at] - _FIRST_DATA_LINE
            errors.extend(row_errors)
            error_positions.extend([position] * len(row_errors))
            if not row_errors:
                valid_rows.append(row)
                ids.append(echoed_json(self._id_names, values))
                positions.append(position)
        if errors and not partial:
            raise InvalidRequest(errors)
        return ParsedRows(valid_rows, positions, tuple(errors), tuple(error_positions), ids if any(ids) else [])

    def _body_member(self, body: bytes, key: str, kind: type, *, expected: str, max_rows: int) -> Any:
        content = parse_json(body, max_commas=max_rows * self._max_commas_per_row)
        if not isinstance(content, dict) or key not in content:
            message = f'is missing; the body is {{"{key}": ...}} with {expected}'
            other_key = next((name for name in _ROUTES_BY_KEY if isinstance(content, dict) and name in content), None)
            if other_key is not None:
                message += f"; send {other_key} to {_ROUTES_BY_KEY[other_key]}"
            raise InvalidRequest.for_field(key, "missing", message)
        unknown = [name for name in content if name != key]
        if unknown:
            raise InvalidRequest.for_field(
                _to_printable(unknown[0]), "unknown", f"is an unknown key; the body has {key} only"
            )
        if not isinstance(content[key], kind):
            raise InvalidRequest.for_field(key, "type", f"expected {expected}")
        return content[key]

    def _validate_row(
        self, values: Any, path: str, *, n_hints: int = _MAX_HINTS
    ) -> tuple[DecodedRow, list[FieldError]]:
        if not isinstance(values, dict):
            return (), [FieldError(path, "type", "expected an object of features by name")]
        values = self._without_padding(values)
        errors = self._unknown_feature_errors(values, f"{path}.", n_hints=n_hints)
        row = []
        for column, constraints in zip(self.columns, self._constraints, strict=True):
            value, error = check_value(column, constraints, values.get(column.name), path=f"{path}.{column.name}")
            row.append(value)
            if error is not None:
                errors.append(error)
        return tuple(row), errors

    def _without_padding(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return a row without the blanks around names that a padded CSV header has, as its reader names columns."""
        padded = [name for name in values if name not in self._accepted_names and name.strip() in self._accepted_names]
        if not padded or any(name.strip() in values for name in padded):
            return values
        return {name.strip() if name in padded else name: value for name, value in values.items()}

    def _unknown_feature_errors(
        self, given: Mapping[str, Any], prefix: str, *, n_hints: int = _MAX_HINTS
    ) -> list[FieldError]:
        unknown = [name for name in given if name not in self._accepted_names]
        return [
            FieldError(
                f"{prefix}{_to_printable(name)}",
                "unknown",
                self._schema.unknown_name_message(name, has_hint=at < n_hints),
            )
            for at, name in enumerate(unknown)
        ]


def _to_printable(name: str) -> str:
    """Return a key of the request as short ASCII text on one line."""
    return name[:60].encode("ascii", "backslashreplace").decode().replace("\n", " ")


def max_commas_per_row(schema: Schema) -> int:
    """Return the mean number of commas that a row of JSON may have, those inside categories and texts included."""
    in_categories = [max((name.count(",") for name in column.categories), default=0) for column in schema.features]
    others = [column for column in schema.columns if column.role != "feature" and not column.is_numeric]
    n_texts = len(others) + sum(column.kind == "text" or column.accepts_unseen for column in schema.features)
    return len(schema.accepted_names) + sum(in_categories) + 100 * n_texts + 8


def check_comma_count(body: bytes, max_commas: int) -> None:
    """Refuse a body with far too many values before the time to decode it is spent.

    Raises
    ------
    BodyTooLarge
        When it has too many values.
    """
    if body.count(b",") > max_commas + _SPARE_COMMAS:
        message = "the body has far more values than a request of the maximum number of rows; send fewer rows"
        raise BodyTooLarge.for_field("", "max_values", message)


def parse_json(body: bytes, *, max_commas: int) -> Any:
    """Return the value of a JSON body, strictly by the standard; each key occurs once.

    `max_commas` is the maximum number of commas of a valid body.

    Raises
    ------
    MalformedBody
        When the bytes are not strict JSON.
    BodyTooLarge
        When it has too many values.
    """
    check_comma_count(body, max_commas)
    if not body.strip():
        raise MalformedBody.for_field("", "json", "the body is empty; with curl, send it with -d '{...}'")
    try:
        return json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_refuse_duplicate_keys,
            parse_constant=_refuse_constant,
            parse_float=_parse_finite_float,
            parse_int=_parse_bounded_int,
        )
    except InvalidRequest:
        raise
    except RecursionError as error:
        raise MalformedBody.for_field("", "json", "the body is nested too deeply") from error
    except json.JSONDecodeError as error:
        message = f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        raise MalformedBody.for_field("", "json", message) from error
    except ValueError as error:  # a UnicodeDecodeError
        raise MalformedBody.for_field("", "json", "the body is not UTF-8 text") from error


def _refuse_duplicate_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        duplicate = next(name for name in names if names.count(name) > 1)
        raise MalformedBody.for_field(
            _to_printable(duplicate), "duplicate", "occurs more than once; send each key once"
        )
    return members


def _refuse_constant(_name: str) -> Any:
    message = "NaN and Infinity are not JSON; send a number, or null for a missing value"
    raise MalformedBody.for_field("", "json", message)


def _parse_finite_float(digits: str) -> float:
    number = float(digits)
    if number - number != 0.0:
        raise MalformedBody.for_field("", "json", "a number is beyond the range of a double")
    return number


def _parse_bounded_int(digits: str) -> int:
    if len(digits) > 400:
        raise MalformedBody.for_field("", "json", "a number is beyond the range of a double")
    return int(digits)
