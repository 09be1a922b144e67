"""Read rows that are right in one pass, by decoders made from the declaration; what needs a closer look is left alone."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pipeline.serving.rows.value_checks import build_value_checks, check_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pipeline.schema import Column

__all__ = ["FastDecoder", "Row"]

Row = tuple[Any, ...]

_COLON = b":"
_MAX_INT64 = 2**63 - 1
# Bounds of numbers that the decoder itself holds. Those of a column do not say whether they belong to it.
_DECODER_BOUND_CHECKS = frozenset({"in_range", "between", "ge", "le"})
_DECODE_ERRORS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class FastDecoder:
    """Reads rows of these columns; each method returns None unless everything is right.

    A key that stands there twice is not seen by a decoder. So there must be one colon for each key: fewer keys than
    colons means that one was given twice, or that a word has a colon.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._checks = [build_value_checks(column) for column in columns]
        self._checked_after_decoding = [at for at, column in enumerate(columns) if _needs_full_check(column)]
        self._decoder_types = [_decoder_type(column) for column in columns]
        row, full = self._row_struct(may_be_absent=True), self._row_struct(may_be_absent=False)
        self._row_decoder: Any = msgspec.json.Decoder(_body_struct("One", "features", row))
        self._batch_decoder: Any = msgspec.json.Decoder(_body_struct("Many", "instances", list[row]))  # type: ignore[valid-type]
        self._complete_batch_decoder: Any = msgspec.json.Decoder(_body_struct("Full", "instances", list[full]))  # type: ignore[valid-type]

    def decode_row(self, body: bytes) -> Row | None:
        """Return the row of a body `{"features": {...}}`."""
        try:
            row: Row = msgspec.structs.astuple(self._row_decoder.decode(body).features)
        except _DECODE_ERRORS:
            return None
        n_given = len(row)
        if UNSET in row:
            n_given -= row.count(UNSET)
            row = tuple(None if value is UNSET else value for value in row)
        is_right = body.count(_COLON) == n_given + 1 and all(
            self._passes_checks(at, row[at : at + 1]) for at in self._checked_after_decoding
        )
        return row if is_right else None

    def decode_batch(self, body: bytes) -> list[Row] | None:
        """Return the rows of a body `{"instances": [{...}, ...]}`."""
        try:
            found, is_full = self._complete_batch_decoder.decode(body).instances, True
        except _DECODE_ERRORS:
            try:
                found, is_full = self._batch_decoder.decode(body).instances, False
            except _DECODE_ERRORS:
                return None
        rows: list[Row] = list(map(msgspec.structs.astuple, found))
        n_given = len(rows) * len(self._columns) + 1
        if not is_full:
            n_given -= sum(row.count(UNSET) for row in rows)
            rows = [tuple(None if value is UNSET else value for value in row) for row in rows]
        is_right = body.count(_COLON) == n_given and all(
            self._passes_checks(at, (row[at] for row in rows)) for at in self._checked_after_decoding
        )
        return rows if is_right else None

    def decode_columns(self, given: Mapping[str, Sequence[Any]], n_rows: int) -> list[Row] | None:
        """Return the rows of columns by name, each of `n_rows` values; None or NaN where one is missing."""
        found: list[list[Any]] = []
        for at, column in enumerate(self._columns):
            values = _convert_column(
                given.get(column.name, [None] * n_rows), self._decoder_types[at], is_float=column.kind == "float"
            )
            if values is None or (at in self._checked_after_decoding and not self._passes_checks(at, values)):
                return None
            found.append(values)
        return list(zip(*found, strict=True))

    def _row_struct(self, *, may_be_absent: bool) -> type[msgspec.Struct]:
        fields: list[Any] = []
        for at, (column, kind) in enumerate(zip(self._columns, self._decoder_types, strict=True)):
            if may_be_absent and column.nullable:
                fields.append((f"c{at}", kind | UnsetType, msgspec.field(name=column.name, default=UNSET)))
            else:
                fields.append((f"c{at}", kind, msgspec.field(name=column.name)))
        return msgspec.defstruct("Row", fields, forbid_unknown_fields=True, kw_only=True)

    def _passes_checks(self, at: int, values: Iterable[Any]) -> bool:
        column, rules = self._columns[at], self._checks[at]
        return all(value is None or check_value(column, rules, value, "")[1] is None for value in values)


def _body_struct(name: str, key: str, kind: Any) -> type[msgspec.Struct]:
    return msgspec.defstruct(name, [(key, kind)], forbid_unknown_fields=True)


def _convert_column(values: Sequence[Any], kind: Any, *, is_float: bool) -> list[Any] | None:
    """Return values as the declared type, NaN as None; None where one of them is another or not finite."""
    found = _convert_values(values, kind, is_float=is_float)
    if found is None:
        return _convert_values([None if value != value else value for value in values], kind, is_float=is_float)  # noqa: PLR0124
    return found


def _convert_values(values: Sequence[Any], kind: Any, *, is_float: bool) -> list[Any] | None:
    try:
        found: list[Any] = msgspec.convert(values, list[kind])
    except (msgspec.ValidationError, TypeError, ValueError):
        return None
    # The sum says it of all of them at once; it may be infinite by itself, and then others look more closely.
    total = sum(filter(None, found)) if is_float else 0.0
    return found if total - total == 0.0 else None


def _needs_full_check(column: Column) -> bool:
    is_decoded = all(_is_checked_by_decoder(column, name, arguments) for name, arguments in column.checks.items())
    return column.kind in ("text", "datetime") or not is_decoded


def _is_checked_by_decoder(column: Column, name: str, arguments: Any) -> bool:
    """Whether the decoder makes a check by itself."""
    if name == "isin":
        return column.kind == "category"
    if name not in _DECODER_BOUND_CHECKS or not column.is_numeric:
        return False
    return not isinstance(arguments, dict) or (
        arguments.get("include_min", True) and arguments.get("include_max", True)
    )


def _decoder_type(column: Column) -> Any:
    """Return the type that makes a decoder accept what the column accepts, as far as it can."""
    plain: Any
    if column.kind == "category":
        plain = Literal[column.categories]
    elif column.kind == "integer":
        low = -_MAX_INT64 if column.minimum is None else max(-_MAX_INT64, _ceiling(column.minimum))
        high = _MAX_INT64 if column.maximum is None else min(_MAX_INT64, int(column.maximum // 1))
        plain = Annotated[int, Meta(ge=low, le=high)]
    elif column.kind == "float":
        plain = Annotated[float, Meta(ge=column.minimum, le=column.maximum)]
    else:
        plain = {"boolean": bool, "text": str, "datetime": str}[column.kind]
    return reduce(or_, (plain, None)) if column.nullable else plain


def _ceiling(number: float) -> int:
    return int(-(-number // 1))
