"""Infer the columns of a file for a draft declaration: types, ranges, categories, missing values, ids.

Types follow the grammar of the strict reader, not pandas: `007` is a text, and a column of integers with missing
values stays one of integers.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.data.cell_parsers import parse_column
from pipeline.errors import DataError
from pipeline.schema import DTYPES, TextFormat
from pipeline.schema.column_kinds import MAX_CATEGORIES
from pipeline.schema.value_groups import MIN_GROUP_ROWS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.schema import ColumnKind

__all__ = [
    "InferredColumn",
    "infer_columns",
    "infer_missing_values",
    "kind_of_arrow_type",
]

_MIN_ROWS_FOR_ID = 20
_ALWAYS_MISSING = ("NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null")
_MISSING_AMONG_NUMBERS = (*_ALWAYS_MISSING, "None", "none", "?", "-", ".")
_ID_NAME = re.compile(r"(?i:(.*[^a-z])?(id|uuid|guid|key|index))|.*[a-z](Id|ID|Key)")
# Words of a question that has two answers: no third word is expected. Another list of words is open.
_CLOSED_PAIRS = ({"yes", "no"}, {"y", "n"}, {"true", "false"}, {"t", "f"}, {"0", "1"})
_PERCENT_NAME = re.compile(r"(?i)(.*[^a-z])?(pct|percent|percentage)([^a-z].*)?|.*%.*")


@dataclass(frozen=True, slots=True)
class InferredColumn:
    """The inferred declaration of a column; `note` explains its role, or a limit.

    `is_open` is whether a word that the file does not hold is accepted.
    """

    name: str
    dtype: str
    nullable: bool
    role: Literal["feature", "id", "ignore", "time"] = "feature"
    unique: bool = False
    checks: Mapping[str, Any] = field(default_factory=dict)
    is_open: bool = False
    example: Any = None
    note: str | None = None


def infer_missing_values(texts: pa.Table) -> tuple[str, ...]:
    """Return the texts that mark a missing value somewhere in `texts`, the empty text first."""
    null_values: set[str] = set()
    for name in texts.column_names:
        distinct = _distinct_values(texts.column(name))
        null_values |= set(_ALWAYS_MISSING) & distinct
        candidates = set(_MISSING_AMONG_NUMBERS) & distinct
        others = pa.array(sorted(distinct - candidates), pa.string())
        if candidates and len(others) and any(_is_of_kind(others, kind) for kind in ("integer", "float", "datetime")):
            null_values |= candidates
    return ("", *sorted(null_values))


def _is_of_kind(texts: pa.Array, kind: ColumnKind) -> bool:
    return not parse_column(texts, TextFormat(kind))[1].size


def kind_of_arrow_type(arrow_type: pa.DataType) -> ColumnKind | None:
    """Return the kind of a typed column; None where its values decide."""
    if pa.types.is_boolean(arrow_type):
        return "boolean"
    if pa.types.is_timestamp(arrow_type) or pa.types.is_date(arrow_type):
        return "datetime"
    if pa.types.is_integer(arrow_type):
        return "integer"
    if pa.types.is_floating(arrow_type) or pa.types.is_decimal(arrow_type):
        return "float"
    return None if pa.types.is_null(arrow_type) else "text"


def infer_columns(texts: pa.Table, *, target: str, known: Mapping[str, ColumnKind | None]) -> list[InferredColumn]:
    """Return the inferred declaration of each column besides the target, in their order.

    Parameters
    ----------
    texts : Arrow table of strings, shape (n_rows, n_columns)
        Null where a value is missing.
    target : str
        Name of the column to predict.
    known : mapping
        Kind of each typed column; None or no entry for the others.

    Raises
    ------
    DataError
        When numbers are written with a decimal comma.
    """
    names = [name for name in texts.column_names if name != target]
    return [_infer_column(name, texts.column(name), known.get(name), is_first=name == names[0]) for name in names]


def _distinct_values(column: pa.ChunkedArray) -> set[str]:
    return set(pc.unique(column.drop_null()).to_pylist())


def _infer_column(name: str, column: pa.ChunkedArray, known: ColumnKind | None, *, is_first: bool) -> InferredColumn:
    cells = column.combine_chunks()
    present = cells.drop_null()
    nullable = len(present) < len(cells)
    distinct = pc.unique(present)
    if not len(present):
        return InferredColumn(name, "string", nullable=True, role="ignore", note="has no values")
    kind = _infer_kind(name, distinct, known)
    values = parse_column(present, TextFormat(kind))[0]
    is_unique = len(distinct) == len(cells)
    if is_unique and _looks_like_id(name, kind, values, is_first=is_first):
        return InferredColumn(name, DTYPES[kind], nullable=False, role="id", unique=True)
    if len(distinct) == 1 and not nullable:
        dtype = "string" if kind == "category" else DTYPES[kind]
        return InferredColumn(name, dtype, nullable=nullable, role="ignore", note="has a single value")
    if kind == "text":
        note = f"{len(distinct):,} distinct texts; a feature is a number, a date or one of few categories"
        return InferredColumn(name, "string", nullable=nullable, role="ignore", note=note)
    return InferredColumn(
        name,
        DTYPES[kind],
        nullable,
        "time" if kind == "datetime" else "feature",
        checks=_infer_checks(name, kind, values),
        is_open=kind == "category" and not _is_closed_pair(distinct),
        example=_example_value(kind, values),
    )


def _is_closed_pair(distinct: pa.Array) -> bool:
    words = {word.lower() for word in distinct.to_pylist()} if len(distinct) <= 2 else set()
    return any(words == pair for pair in _CLOSED_PAIRS)


def _infer_kind(name: str, distinct: pa.Array, known: ColumnKind | None) -> ColumnKind:
    order: tuple[ColumnKind, ...] = ("boolean", "integer", "float", "datetime")
    candidates = order if known is None else ("integer", "float") if known in ("integer", "float") else (known,)
    for kind in candidates:
        if kind in order and _is_of_kind(distinct, kind):
            return kind
    if pc.all(pc.match_substring_regex(distinct, r"^-?[0-9.]*[0-9],[0-9]+$")).as_py():
        raise DataError(
            f"{name}: numbers with a decimal comma, such as {distinct[0].as_py()!r}; write them with a decimal point"
        )
    return "category" if len(distinct) <= MAX_CATEGORIES else "text"


def _looks_like_id(name: str, kind: ColumnKind, values: pa.Array, *, is_first: bool) -> bool:
    """Whether unique values identify rows: by the column's name, as a sequence, or as texts of the first column."""
    if kind not in ("integer", "category", "text"):
        return False
    if _ID_NAME.fullmatch(name):
        return True
    if len(values) < _MIN_ROWS_FOR_ID:
        return False
    if kind == "integer":
        span = pc.min_max(values).as_py()
        return bool(span["max"] - span["min"] == len(values) - 1)
    return is_first and not pc.any(pc.match_substring(values, " ")).as_py()


def _infer_checks(name: str, kind: ColumnKind, values: pa.Array) -> dict[str, Any]:
    """Return the words of a category, and the bounds of a flag or a percentage; other numbers are open-ended."""
    if kind == "category":
        return {"isin": sorted(pc.unique(values).to_pylist())}
    if kind not in ("integer", "float"):
        return {}
    span = pc.min_max(values).as_py()
    low, high = span["min"], span["max"]
    if kind == "integer" and (low, high) == (0, 1):
        return {"in_range": {"min_value": 0, "max_value": 1}}
    if _PERCENT_NAME.fullmatch(name) and low >= 0 and 1 < high <= 100:
        return {"in_range": {"min_value": 0, "max_value": 100}}
    return {}


def _example_value(kind: ColumnKind, values: pa.Array) -> Any:
    if kind in ("category", "boolean"):
        return pc.mode(values)[0]["mode"].as_py() if kind == "boolean" else _most_frequent(values)
    return _anonymous_middle(kind, values)


def _anonymous_middle(kind: ColumnKind, values: pa.Array) -> Any:
    """Return the middle value; where fewer than `MIN_GROUP_ROWS` rows have it, with two digits, or as its month."""
    if kind == "datetime":
        values = pc.strftime(values, "%Y-%m-%d")
    middle = values.take(pc.sort_indices(values))[len(values) // 2]
    value = middle.as_py()
    if pc.sum(pc.equal(values, middle)).as_py() >= MIN_GROUP_ROWS:
        return value
    if kind == "datetime":
        return f"{value[:7]}-01"
    rounded = float(f"{value:.2g}")
    if math.isinf(rounded):
        return 0.0
    return int(rounded) if isinstance(value, int) else rounded


def _most_frequent(values: pa.Array) -> str:
    counts = pc.value_counts(values).to_pylist()
    value: str = min(counts, key=lambda entry: (-entry["counts"], entry["values"]))["values"]
    return value
