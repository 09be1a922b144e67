"""Read rows from JSON, strictly: every value is of its declared kind and passes its checks, or the answer says why not.

A body that is right is decoded and checked in one pass by a decoder made from the declaration. Anything
else is read again slowly, to find everything that is wrong and say it well.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.errors import did_you_mean
from pipeline.serving.checks import check_value, rules_of
from pipeline.serving.contracts import BodyRefused, Problem
from pipeline.serving.decoding import QuickReader

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.schema import Schema
    from pipeline.serving.checks import Rule
    from pipeline.serving.contracts import Lines
    from pipeline.serving.decoding import Row

__all__ = ["RowCodec", "Rows", "check_weight", "parse_json", "row_commas"]

# Of a text, after the one that names the columns.
_FIRST_LINE = 2
# Who sends one to the place of the other is told where it belongs.
_ELSEWHERE = {"features": "POST /predict", "instances": "POST /predict/batch"}
# Suggestions cost more than the check itself; as many are made as a refusal shows.
_MAX_HINTS = 20
_HINTED_SIGNS = 60
# A body of this size is weighed before it is decoded, others only when something is wrong with them.
_LARGE = 4_000_000
_SPARE_COMMAS = 100_000


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows that were accepted, each a tuple in the order of the features, with their positions among those given.

    `places` has the position of the row that each of `problems` is about.
    """

    rows: list[Row]
    positions: list[int]
    problems: tuple[Problem, ...] = ()
    places: tuple[int, ...] = ()


class RowCodec:
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
        self._rules: list[tuple[Rule, ...]] = [rules_of(column) for column in self.columns]
        self._quick = QuickReader(self.columns)
        self._row_commas = row_commas(schema)

    def one(self, body: bytes) -> Row:
        """Return the row of a body `{"features": {...}}`.

        Raises
        ------
        BodyRefused
            Naming each field that is wrong.
        """
        row = self._quick.one(body)
        return self._one_slowly(body) if row is None else row

    def many(self, body: bytes, *, partial: bool = False) -> Rows:
        """Return the rows of a body `{"instances": [{...}, ...]}`; with `partial`, those that are right.

        Raises
        ------
        BodyRefused
            Naming each field of each row that is wrong; with `partial`, only when there is no list of rows.
        """
        if len(body) > _LARGE:
            check_weight(body, self.max_rows * self._row_commas)
        rows = self._quick.many(body)
        if rows is None or not 0 < len(rows) <= self.max_rows:
            return self._many_slowly(body, partial=partial)
        return Rows(rows, list(range(len(rows))))

    def columns_of(
        self, columns: Mapping[str, Sequence[Any]], *, partial: bool = False, lines: Lines | None = None
    ) -> Rows:
        """Return the rows of columns by name, None or NaN where a value is missing; `lines` says where in a text they stood.

        Raises
        ------
        BodyRefused
            Naming each value that is wrong.
        """
        lengths = {len(values) for values in columns.values()}
        if len(lengths) > 1:
            raise BodyRefused(422, [Problem("", "shape", "columns have different numbers of values")])
        n_rows = next(iter(lengths), 0)
        self._bounded(n_rows if lines is None else lines.n_rows, "rows")
        unknown = self._unknown(columns, "")
        if unknown:
            raise BodyRefused(422, unknown)
        quick = self._quick.columns(columns, n_rows) if lines is None or not lines.problems else None
        if quick is not None:
            places = list(range(n_rows)) if lines is None else [number - _FIRST_LINE for number in lines.numbers]
            return Rows(quick, places)
        given = [columns.get(name) for name in self.names]
        raw = zip(*([None] * n_rows if values is None else values for values in given), strict=True)
        plain = (tuple(None if value != value else value for value in row) for row in raw)  # noqa: PLR0124 - NaN
        rows = [dict(zip(self.names, row, strict=True)) for row in plain]
        return self._checked(rows, "rows", partial=partial, lines=lines)

    def _one_slowly(self, body: bytes) -> Row:
        inner = self._inner(body, "features", dict, "an object of features by name", 1)
        row, problems = self._row(inner, "features")
        if problems:
            raise BodyRefused(422, problems)
        return row

    def _many_slowly(self, body: bytes, *, partial: bool) -> Rows:
        rows = self._inner(body, "instances", list, "a list of objects, one for each row", self.max_rows)
        self._bounded(len(rows), "instances")
        return self._checked(rows, "instances", partial=partial)

    def _bounded(self, n_rows: int, path: str) -> None:
        if n_rows > self.max_rows:
            said = f"has {n_rows} rows; at most {self.max_rows} are accepted in one request, send several"
            raise BodyRefused(413, [Problem(path, "max_rows", said)])
        if n_rows == 0:
            raise BodyRefused(422, [Problem(path, "min_rows", "has no rows; at least one is needed")])

    def _checked(self, rows: list[Any], path: str, *, partial: bool, lines: Lines | None = None) -> Rows:
        good: list[Row] = []
        positions: list[int] = []
        problems: list[Problem] = []
        places: list[int] = []
        if lines is not None:
            problems.extend(lines.problems)
            places.extend(number - _FIRST_LINE for number in lines.unread)
        for at, values in enumerate(rows):
            where = f"{path}[{at}]" if lines is None else f"line {lines.numbers[at]}"
            row, found = self._row(values, where, n_hints=_MAX_HINTS - len(problems))
            place = at if lines is None else lines.numbers[at] - _FIRST_LINE
            problems.extend(found)
            places.extend([place] * len(found))
            if not found:
                good.append(row)
                positions.append(place)
        if problems and not partial:
            raise BodyRefused(422, problems)
        return Rows(good, positions, tuple(problems), tuple(places))

    def _inner(self, body: bytes, key: str, kind: type, expected: str, max_rows: int) -> Any:
        found = parse_json(body, max_commas=max_rows * self._row_commas)
        if not isinstance(found, dict) or key not in found:
            said = f'is missing; the body is {{"{key}": ...}} with {expected}'
            elsewhere = next((one for one in _ELSEWHERE if isinstance(found, dict) and one in found), None)
            if elsewhere is not None:
                said += f"; {elsewhere} are for {_ELSEWHERE[elsewhere]}"
            raise BodyRefused(422, [Problem(key, "missing", said)])
        others = [name for name in found if name != key]
        if others:
            raise BodyRefused(
                422, [Problem(_shown(others[0]), "unknown", f"is not known here; the body has {key} only")]
            )
        if not isinstance(found[key], kind):
            raise BodyRefused(422, [Problem(key, "type", f"expected {expected}")])
        return found[key]

    def _row(self, values: Any, path: str, *, n_hints: int = _MAX_HINTS) -> tuple[Row, list[Problem]]:
        if not isinstance(values, dict):
            return (), [Problem(path, "type", "expected an object of features by name")]
        problems = self._unknown(values, f"{path}.", n_hints=n_hints)
        row = []
        for column, rules in zip(self.columns, self._rules, strict=True):
            value, problem = check_value(column, rules, values.get(column.name), f"{path}.{column.name}")
            row.append(value)
            if problem is not None:
                problems.append(problem)
        return tuple(row), problems

    def _unknown(self, given: Mapping[str, Any], prefix: str, *, n_hints: int = _MAX_HINTS) -> list[Problem]:
        known = set(self.names)
        said = f"is no feature of this model; features: {', '.join(self.names)}"
        unknown = [name for name in given if name not in known]
        return [
            Problem(f"{prefix}{_shown(name)}", "unknown", f"{said}{self._hint(name) if at < n_hints else ''}")
            for at, name in enumerate(unknown)
        ]

    def _hint(self, name: str) -> str:
        return did_you_mean(name[:_HINTED_SIGNS], self.names)


def _shown(name: str) -> str:
    """Return a key that a stranger chose as a short plain word."""
    return name[:60].encode("ascii", "backslashreplace").decode().replace("\n", " ")


def row_commas(schema: Schema) -> int:
    """Return how many commas a row of JSON may have on average, with room for those in words and texts."""
    in_words = [max((word.count(",") for word in column.categories), default=0) for column in schema.features]
    in_texts = 100 * sum(column.kind == "text" for column in schema.features)
    return len(schema.features) + sum(in_words) + in_texts + 8


def check_weight(body: bytes, max_commas: int) -> None:
    """Refuse a body that would take long to read, only to be refused for having far too many values.

    Raises
    ------
    BodyRefused
        With status 413.
    """
    if body.count(b",") > max_commas + _SPARE_COMMAS:
        said = "has far more values than the rows that one request may have; send fewer at a time"
        raise BodyRefused(413, [Problem("", "max_values", f"the body {said}")])


def parse_json(body: bytes, *, max_commas: int) -> Any:
    """Return the value of a JSON body: strict about what the standard forbids, with each key once.

    `max_commas` is how many commas it has at most when it is what it should be.

    Raises
    ------
    BodyRefused
        With status 400; or 413 when it has far more values.
    """
    check_weight(body, max_commas)
    if not body.strip():
        raise BodyRefused(400, [Problem("", "json", "the body is empty; with curl, send it with -d '{...}'")])
    try:
        return json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_float=_finite,
            parse_int=_whole,
        )
    except BodyRefused:
        raise
    except RecursionError as error:
        raise BodyRefused(400, [Problem("", "json", "the body is nested too deeply")]) from error
    except json.JSONDecodeError as error:
        said = f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        raise BodyRefused(400, [Problem("", "json", said)]) from error
    except ValueError as error:  # UTF-8 as well
        raise BodyRefused(400, [Problem("", "json", "the body is not UTF-8 text")]) from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BodyRefused(400, [Problem(_shown(twice), "duplicate", "is given twice; give each key once")])
    return found


def _no_constant(_word: str) -> Any:
    said = "NaN and Infinity are not JSON; give a number, or null for a missing value"
    raise BodyRefused(400, [Problem("", "json", said)])


def _finite(digits: str) -> float:
    number = float(digits)
    if number - number != 0.0:
        raise BodyRefused(400, [Problem("", "json", "a number is beyond the range of a double")])
    return number


def _whole(digits: str) -> int:
    if len(digits) > 400:
        raise BodyRefused(400, [Problem("", "json", "a number is beyond the range of a double")])
    return int(digits)
