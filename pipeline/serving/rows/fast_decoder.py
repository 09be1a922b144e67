"""Decode valid rows in one pass, with decoders compiled from the declaration; invalid rows are left to the parser."""

from __future__ import annotations

from functools import reduce
from math import inf
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, TypeGuard

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pipeline.schema.intervals import MAX_INT64, Interval
from pipeline.serving.rows.echoed_ids import echoed_columns, echoed_json
from pipeline.serving.rows.value_checks import check_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pipeline.schema import Column
    from pipeline.schema.constraint_base import Constraint

__all__ = ["DecodedRow", "DecodedRows", "FastDecoder"]

DecodedRow = tuple[Any, ...]

_COLON = b":"
_ESCAPED_COLON = b"\\u003"  # the beginning of its two spellings
_DECODE_ERRORS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class DecodedRows(NamedTuple):
    """Valid rows, and the member `ids` of the response to each; no `ids` where no row has one."""

    rows: list[DecodedRow]
    ids: list[str]


class FastDecoder:
    """Decodes rows of these columns; each method returns None unless all rows are valid.

    A row may have values of `other_names`, too; the response repeats those of `id_names` among them.

    A decoder does not detect duplicate keys. Therefore the colons of a body must equal those of its keys and texts:
    one more means that a key occurs twice.
    """

    def __init__(
        self, columns: Sequence[Column], *, other_names: Sequence[str] = (), id_names: Sequence[str] = ()
    ) -> None:
        self._columns = columns
        self._other_names = other_names
        self._id_names = id_names
        self._constraints = [column.value_constraints for column in columns]
        self._known_words = [_valid_words(column) for column in columns]
        self._declared_texts = [at for at, column in enumerate(columns) if _has_declared_texts(column)]
        self._checked_after_decoding = [
            at for at, column in enumerate(columns) if at not in self._declared_texts and _needs_full_check(column)
        ]
        self._decoder_types = [_decoder_type(column) for column in columns]
        row, complete_row = self._row_struct(is_complete=False), self._row_struct(is_complete=True)
        self._row_decoder: Any = msgspec.json.Decoder(_body_struct("RowBody", "features", row))
        batch: Any = list[row]  # type: ignore[valid-type]  # the types are made at run time
        complete_batch: Any = list[complete_row]  # type: ignore[valid-type]  # the same
        self._batch_decoder: Any = msgspec.json.Decoder(_body_struct("BatchBody", "instances", batch))
        self._complete_batch_decoder: Any = msgspec.json.Decoder(
            _body_struct("CompleteBatchBody", "instances", complete_batch)
        )

    def decode_row(self, body: bytes) -> DecodedRows | None:
        """Return the row of a body `{"features": {...}}`."""
        try:
            values: DecodedRow = msgspec.structs.astuple(self._row_decoder.decode(body).features)
        except _DECODE_ERRORS:
            return None
        n_keys = 1 + len(values) - values.count(UNSET)
        row = values[: len(self._columns)]
        if UNSET in row:
            row = _without_unset(row)
        has_one = body.count(_COLON) == n_keys or self._has_each_key_once(body, n_keys, [values])
        if not has_one or not all(self._passes_checks(at, row[at : at + 1]) for at in self._checked_after_decoding):
            return None
        read = self._read_texts([row])
        return None if read is None else DecodedRows(read, self._ids([values]) if self._id_names else [])

    def decode_batch(self, body: bytes) -> DecodedRows | None:
        """Return the rows of a body `{"instances": [{...}, ...]}`."""
        try:
            structs, is_complete = self._complete_batch_decoder.decode(body).instances, True
        except _DECODE_ERRORS:
            try:
                structs, is_complete = self._batch_decoder.decode(body).instances, False
            except _DECODE_ERRORS:
                return None
        values: list[DecodedRow] = list(map(msgspec.structs.astuple, structs))
        rows, ids, n_keys = values, [], 1 + len(values) * len(self._columns)
        if not is_complete:
            n_keys += sum(len(row) - len(self._columns) - row.count(UNSET) for row in values)
            rows = [row[: len(self._columns)] for row in values]
            rows = [_without_unset(row) if UNSET in row else row for row in rows]
            ids = self._ids(values) if self._id_names else []
        if body.count(_COLON) != n_keys and not self._has_each_key_once(body, n_keys, values):
            return None
        if not all(self._passes_checks(at, (row[at] for row in rows)) for at in self._checked_after_decoding):
            return None
        read = self._read_texts(rows)
        return None if read is None else DecodedRows(read, ids)

    @staticmethod
    def _has_each_key_once(body: bytes, n_keys: int, rows: list[DecodedRow]) -> bool:
        n_in_texts = sum(value.count(":") for row in rows for value in row if type(value) is str)
        return body.count(_COLON) == n_keys + n_in_texts and _ESCAPED_COLON not in body

    def _ids(self, rows: list[DecodedRow]) -> list[str]:
        """Return the member `ids` of each row as it was decoded; an empty list where no row has an id."""
        others = [row[len(self._columns) :] for row in rows]
        given = [
            {name: value for name, value in zip(self._other_names, values, strict=True) if value is not UNSET}
            for values in others
        ]
        ids = [echoed_json(self._id_names, values) for values in given]
        return ids if any(ids) else []

    def decode_columns(self, values_by_name: Mapping[str, Sequence[Any]], n_rows: int) -> DecodedRows | None:
        """Return the rows of columns by name, each of `n_rows` values; None or NaN where a value is missing."""
        columns: list[list[Any]] = []
        for at, column in enumerate(self._columns):
            values = _convert_column(
                values_by_name.get(column.name, [None] * n_rows),
                self._decoder_types[at],
                is_float=column.kind == "float",
            )
            if values is None or (at in self._checked_after_decoding and not self._passes_checks(at, values)):
                return None
            columns.append(values)
        rows = self._read_texts(list(zip(*columns, strict=True)))
        return None if rows is None else DecodedRows(rows, echoed_columns(self._id_names, values_by_name))

    def _read_texts(self, rows: list[DecodedRow]) -> list[DecodedRow] | None:
        """Return rows with the texts of columns that declare their form as values; None if one is not valid."""
        if not self._declared_texts:
            return rows
        read = list(map(list, rows))
        for row in read:
            for at in self._declared_texts:
                row[at], error = check_value(self._columns[at], self._constraints[at], row[at])
                if error is not None:
                    return None
        return list(map(tuple, read))

    def _row_struct(self, *, is_complete: bool) -> type[msgspec.Struct]:
        fields: list[Any] = []
        for at, (column, kind) in enumerate(zip(self._columns, self._decoder_types, strict=True)):
            if column.nullable and not is_complete:
                fields.append((f"c{at}", kind | UnsetType, msgspec.field(name=column.name, default=UNSET)))
            else:
                fields.append((f"c{at}", kind, msgspec.field(name=column.name)))
        if not is_complete:
            others = enumerate(self._other_names)
            fields += [(f"x{at}", Any, msgspec.field(name=name, default=UNSET)) for at, name in others]
        return msgspec.defstruct("Row", fields, forbid_unknown_fields=True, kw_only=True)

    def _passes_checks(self, at: int, values: Iterable[Any]) -> bool:
        column, constraints, known = self._columns[at], self._constraints[at], self._known_words[at]
        return all(
            value is None or value in known or check_value(column, constraints, value)[1] is None for value in values
        )


def _without_unset(row: DecodedRow) -> DecodedRow:
    return tuple(None if value is UNSET else value for value in row)


def _body_struct(name: str, key: str, kind: Any) -> type[msgspec.Struct]:
    return msgspec.defstruct(name, [(key, kind)], forbid_unknown_fields=True)


def _convert_column(values: Sequence[Any], kind: Any, *, is_float: bool) -> list[Any] | None:
    """Return values of the declared type, NaN as None; None where a value has another type or is not finite."""
    converted = _convert_values(values, kind, is_float=is_float)
    if converted is None:
        without_nan = [None if value != value else value for value in values]  # noqa: PLR0124 - NaN
        return _convert_values(without_nan, kind, is_float=is_float)
    return converted


def _convert_values(values: Sequence[Any], kind: Any, *, is_float: bool) -> list[Any] | None:
    try:
        converted: list[Any] = msgspec.convert(values, list[kind])
    except (msgspec.ValidationError, TypeError, ValueError):
        return None
    # A finite sum means that all values are finite; an infinite one may overflow, and the parser decides.
    total = sum(filter(None, converted)) if is_float else 0.0
    return converted if total - total == 0.0 else None


def _has_declared_texts(column: Column) -> bool:
    """Whether a valid value of the column's JSON type may stand for another value; rows with others are rare."""
    is_open = column.kind in ("text", "datetime") or column.accepts_unseen
    return is_open and column.text_format.is_declared


def _needs_full_check(column: Column) -> bool:
    """Whether the decoder alone cannot check a value."""
    if column.kind in ("text", "datetime") or column.accepts_unseen:
        return True
    return not all(_is_checked_by_decoder(column, constraint) for constraint in column.value_constraints)


def _valid_words(column: Column) -> frozenset[str]:
    """Return the listed words of a column that accepts others too, so that these alone are checked one by one."""
    return frozenset(word for word in column.categories if column.accepts_unseen and column.accepts(word))


def _is_checked_by_decoder(column: Column, constraint: Constraint) -> bool:
    if column.kind == "category":
        return constraint.literals == frozenset(column.categories)
    return column.is_numeric and _has_finite_ends(constraint.interval)


def _has_finite_ends(interval: Interval | None) -> TypeGuard[Interval]:
    return (
        interval is not None and inf not in (interval.low, interval.high) and -inf not in (interval.low, interval.high)
    )


def _decoder_type(column: Column) -> Any:
    """Return the msgspec type of the values of a column, with the checks that a decoder can make."""
    decoded: Any
    if _has_declared_texts(column):
        decoded = _DECLARED_TYPES[column.kind]
    elif column.accepts_unseen:
        decoded = str
    elif column.kind == "category":
        decoded = Literal[column.categories]
    elif column.is_numeric:
        decoded = _bounded_number_type(column)
    else:
        decoded = {"boolean": bool, "text": str, "datetime": str}[column.kind]
    return reduce(or_, (decoded, None)) if column.nullable else decoded


# Of columns that declare the form of their texts.
_DECLARED_TYPES: dict[str, Any] = {
    "datetime": int | float | str,
    "category": str,
    "text": str,
}


def _bounded_number_type(column: Column) -> Any:
    intervals = (each.interval for each in column.value_constraints if _has_finite_ends(each.interval))
    interval = reduce(Interval.intersect, intervals, Interval())
    if column.kind == "float":
        return Annotated[float, Meta(ge=interval.low, le=interval.high)]
    interval = interval.intersect(Interval(-MAX_INT64, MAX_INT64))
    return Annotated[int, Meta(ge=interval.low, le=interval.high)]
