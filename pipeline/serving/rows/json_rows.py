"""Read rows from JSON, strictly: every value is of its declared kind and passes its checks, or the answer says why not.

A body that is right is decoded and checked in one pass by a decoder made from the declaration. Anything
else is read again slowly, to find everything that is wrong and say it well.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.errors import did_you_mean
from pipeline.serving.errors import BodyTooLarge, FieldError, InvalidRequest, MalformedBody
from pipeline.serving.rows.fast_decoder import FastDecoder
from pipeline.serving.rows.value_checks import check_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.schema import Schema
    from pipeline.serving.prediction_types import LineMap
    from pipeline.serving.rows.fast_decoder import Row

__all__ = ["ParsedRows", "RowParser", "check_comma_count", "max_commas_per_row", "parse_json"]

# Of a text, after the one that names the columns.
_FIRST_DATA_LINE = 2
# Who sends one to the place of the other is told where it belongs.
_ROUTES_BY_KEY = {"features": "POST /predict", "instances": "POST /predict/batch"}
# Suggestions cost more than the check itself; as many are made as a refusal shows.
_MAX_HINTS = 20
_MAX_HINT_LENGTH = 60
# A body of this size is weighed before it is decoded, others only when something is wrong with them.
_LARGE_BODY_BYTES = 4_000_000
_SPARE_COMMAS = 100_000


@dataclass(frozen=True, slots=True)
class ParsedRows:
    """Rows that were accepted, each a tuple in the order of the features, with their positions among those given.

    `places` has the position of the row that each of `problems` is about.
    """

    rows: list[Row]
    positions: list[int]
    errors: tuple[FieldError, ...] = ()
    error_positions: tuple[int, ...] = ()


class RowParser:
    """Reads the bodies of one schema.

    Parameters
    ----------
    schema : Schema
        Its features are the accepted fields: a nullable one may be null or absent.
    max_rows : int
        Rows that one body may hold.
    """

    def __init__(self, schema: Schema, *, max_rows: int) -> None:
        self.columns = schema.features
        self.names = schema.feature_names
        self.max_rows = max_rows
        self._constraints = [column.value_constraints for column in self.columns]
        self._fast_decoder = FastDecoder(self.columns)
        self._max_commas_per_row = max_commas_per_row(schema)

    def parse_row(self, body: bytes) -> Row:
        """Return the row of a body `{"features": {...}}`.

        Raises
        ------
        InvalidRequest
            Naming each field that is wrong.
        """
        row = self._fast_decoder.decode_row(body)
        return self._parse_row_slowly(body) if row is None else row

    def parse_batch(self, body: bytes, *, partial: bool = False) -> ParsedRows:
        """Return the rows of a body `{"instances": [{...}, ...]}`; with `partial`, those that are right.

        Raises
        ------
        InvalidRequest
            Naming each field of each row that is wrong; with `partial`, only when there is no list of rows.
        """
        if len(body) > _LARGE_BODY_BYTES:
            check_comma_count(body, self.max_rows * self._max_commas_per_row)
        rows = self._fast_decoder.decode_batch(body)
        if rows is None or not 0 < len(rows) <= self.max_rows:
            return self._parse_batch_slowly(body, partial=partial)
        return ParsedRows(rows, list(range(len(rows))))

    def parse_columns(
        self, columns: Mapping[str, Sequence[Any]], *, partial: bool = False, lines: LineMap | None = None
    ) -> ParsedRows:
        """Return the rows of columns by name, None or NaN where a value is missing; `lines` says where in a text they stood.

        Raises
        ------
        InvalidRequest
            Naming each value that is wrong.
        """
        lengths = {len(values) for values in columns.values()}
        if len(lengths) > 1:
            raise InvalidRequest.for_field("", "shape", "columns have different numbers of values")
        n_rows = next(iter(lengths), 0)
        self._check_row_count(n_rows if lines is None else lines.n_rows, "rows")
        unknown = self._unknown_feature_errors(columns, "")
        if unknown:
            raise InvalidRequest(unknown)
        quick = self._fast_decoder.decode_columns(columns, n_rows) if lines is None or not lines.errors else None
        if quick is not None:
            places = list(range(n_rows)) if lines is None else [number - _FIRST_DATA_LINE for number in lines.row_lines]
            return ParsedRows(quick, places)
        given = [columns.get(name) for name in self.names]
        raw = zip(*([None] * n_rows if values is None else values for values in given), strict=True)
        plain = (tuple(None if value != value else value for value in row) for row in raw)  # noqa: PLR0124 - NaN
        rows = [dict(zip(self.names, row, strict=True)) for row in plain]
        return self._validate_rows(rows, "rows", partial=partial, lines=lines)

    def _parse_row_slowly(self, body: bytes) -> Row:
        inner = self._body_member(body, "features", dict, "an object of features by name", 1)
        row, problems = self._validate_row(inner, "features")
        if problems:
            raise InvalidRequest(problems)
        return row

    def _parse_batch_slowly(self, body: bytes, *, partial: bool) -> ParsedRows:
        rows = self._body_member(body, "instances", list, "a list of objects, one for each row", self.max_rows)
        self._check_row_count(len(rows), "instances")
        return self._validate_rows(rows, "instances", partial=partial)

    def _check_row_count(self, n_rows: int, path: str) -> None:
        if n_rows > self.max_rows:
            said = f"has {n_rows} rows; at most {self.max_rows} are accepted in one request, send several"
            raise BodyTooLarge.for_field(path, "max_rows", said)
        if n_rows == 0:
            raise InvalidRequest.for_field(path, "min_rows", "has no rows; at least one is needed")

    def _validate_rows(self, rows: list[Any], path: str, *, partial: bool, lines: LineMap | None = None) -> ParsedRows:
        good: list[Row] = []
        positions: list[int] = []
        problems: list[FieldError] = []
        places: list[int] = []
        if lines is not None:
            problems.extend(lines.errors)
            places.extend(number - _FIRST_DATA_LINE for number in lines.error_lines)
        for at, values in enumerate(rows):
            where = f"{path}[{at}]" if lines is None else f"line {lines.row_lines[at]}"
            row, found = self._validate_row(values, where, n_hints=_MAX_HINTS - len(problems))
            place = at if lines is None else lines.row_lines[at] - _FIRST_DATA_LINE
            problems.extend(found)
            places.extend([place] * len(found))
            if not found:
                good.append(row)
                positions.append(place)
        if problems and not partial:
            raise InvalidRequest(problems)
        return ParsedRows(good, positions, tuple(problems), tuple(places))

    def _body_member(self, body: bytes, key: str, kind: type, expected: str, max_rows: int) -> Any:
        found = parse_json(body, max_commas=max_rows * self._max_commas_per_row)
        if not isinstance(found, dict) or key not in found:
            said = f'is missing; the body is {{"{key}": ...}} with {expected}'
            elsewhere = next((one for one in _ROUTES_BY_KEY if isinstance(found, dict) and one in found), None)
            if elsewhere is not None:
                said += f"; {elsewhere} are for {_ROUTES_BY_KEY[elsewhere]}"
            raise InvalidRequest.for_field(key, "missing", said)
        others = [name for name in found if name != key]
        if others:
            raise InvalidRequest.for_field(
                _to_printable(others[0]), "unknown", f"is not known here; the body has {key} only"
            )
        if not isinstance(found[key], kind):
            raise InvalidRequest.for_field(key, "type", f"expected {expected}")
        return found[key]

    def _validate_row(self, values: Any, path: str, *, n_hints: int = _MAX_HINTS) -> tuple[Row, list[FieldError]]:
        if not isinstance(values, dict):
            return (), [FieldError(path, "type", "expected an object of features by name")]
        problems = self._unknown_feature_errors(values, f"{path}.", n_hints=n_hints)
        row = []
        for column, constraints in zip(self.columns, self._constraints, strict=True):
            value, problem = check_value(column, constraints, values.get(column.name), f"{path}.{column.name}")
            row.append(value)
            if problem is not None:
                problems.append(problem)
        return tuple(row), problems

    def _unknown_feature_errors(
        self, given: Mapping[str, Any], prefix: str, *, n_hints: int = _MAX_HINTS
    ) -> list[FieldError]:
        known = set(self.names)
        said = f"is no feature of this model; features: {', '.join(self.names)}"
        unknown = [name for name in given if name not in known]
        return [
            FieldError(f"{prefix}{_to_printable(name)}", "unknown", f"{said}{self._hint(name) if at < n_hints else ''}")
            for at, name in enumerate(unknown)
        ]

    def _hint(self, name: str) -> str:
        return did_you_mean(name[:_MAX_HINT_LENGTH], self.names)


def _to_printable(name: str) -> str:
    """Return a key that a stranger chose as a short plain word."""
    return name[:60].encode("ascii", "backslashreplace").decode().replace("\n", " ")


def max_commas_per_row(schema: Schema) -> int:
    """Return how many commas a row of JSON may have on average, with room for those in words and texts."""
    in_words = [max((word.count(",") for word in column.categories), default=0) for column in schema.features]
    in_texts = 100 * sum(column.kind == "text" for column in schema.features)
    return len(schema.features) + sum(in_words) + in_texts + 8


def check_comma_count(body: bytes, max_commas: int) -> None:
    """Refuse a body that would take long to read, only to be refused for having far too many values.

    Raises
    ------
    BodyTooLarge
        When it has far more values.
    """
    if body.count(b",") > max_commas + _SPARE_COMMAS:
        said = "has far more values than the rows that one request may have; send fewer at a time"
        raise BodyTooLarge.for_field("", "max_values", f"the body {said}")


def parse_json(body: bytes, *, max_commas: int) -> Any:
    """Return the value of a JSON body: strict about what the standard forbids, with each key once.

    `max_commas` is how many commas it has at most when it is what it should be.

    Raises
    ------
    MalformedBody
        When the bytes are not strict JSON.
    BodyTooLarge
        When it has far more values than it may have.
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
        said = f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        raise MalformedBody.for_field("", "json", said) from error
    except ValueError as error:  # UTF-8 as well
        raise MalformedBody.for_field("", "json", "the body is not UTF-8 text") from error


def _refuse_duplicate_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise MalformedBody.for_field(_to_printable(twice), "duplicate", "is given twice; give each key once")
    return found


def _refuse_constant(_word: str) -> Any:
    said = "NaN and Infinity are not JSON; give a number, or null for a missing value"
    raise MalformedBody.for_field("", "json", said)


def _parse_finite_float(digits: str) -> float:
    number = float(digits)
    if number - number != 0.0:
        raise MalformedBody.for_field("", "json", "a number is beyond the range of a double")
    return number


def _parse_bounded_int(digits: str) -> int:
    if len(digits) > 400:
        raise MalformedBody.for_field("", "json", "a number is beyond the range of a double")
    return int(digits)
