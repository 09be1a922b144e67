"""Infer the columns of a file for a draft declaration: kinds, forms, roles, words, missing values.

`kind_recognition` and `id_recognition` read the texts; here a column gets its role, its checks and a note.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.data.cell_parsers import parse_column
from pipeline.data.id_recognition import id_reason
from pipeline.data.kind_recognition import recognize_texts, settle_words
from pipeline.schema import DTYPES, TextFormat
from pipeline.schema.value_groups import MIN_GROUP_ROWS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.data.kind_recognition import RecognizedColumn
    from pipeline.schema import ColumnKind

__all__ = ["InferredColumn", "infer_columns"]

# Words of a question that has two answers: no third word is expected. Another list of words is open.
_CLOSED_PAIRS = ({"yes", "no"}, {"y", "n"}, {"true", "false"}, {"t", "f"}, {"0", "1"})
_PERCENT_NAME = re.compile(r"(?i)(.*[^a-z])?(pct|percent|percentage)([^a-z].*)?|.*%.*")
_MIN_ROWS_PER_WORD = 2
_MIN_BLANKS_OF_TEXTS = 4


@dataclass(frozen=True, slots=True)
class InferredColumn:
    """The inferred declaration of a column.

    Attributes
    ----------
    name, dtype, nullable, role, unique, checks, example, unit
        As declared.
    keys : mapping
        Further keys of the declaration: how texts become values, and `encode`.
    is_open : bool
        Whether a word that the file does not hold is accepted.
    note : str or None
        Why the column has its role.
    assumptions : tuple of str
        What the texts leave open, each with the key that changes it.
    """

    name: str
    dtype: str
    nullable: bool
    role: Literal["feature", "id", "ignore", "time"] = "feature"
    unique: bool = False
    checks: Mapping[str, Any] = field(default_factory=dict)
    keys: Mapping[str, Any] = field(default_factory=dict)
    is_open: bool = False
    example: Any = None
    unit: str | None = None
    note: str | None = None
    assumptions: tuple[str, ...] = ()


def infer_columns(
    texts: pa.Table, *, target: str, known: Mapping[str, RecognizedColumn | None]
) -> list[InferredColumn]:
    """Return the inferred declaration of each column besides the target, in their order.

    Parameters
    ----------
    texts : Arrow table of strings, shape (n_rows, n_columns)
        Null where a value is missing.
    target : str
        Name of the column to predict.
    known : mapping
        What a column is by its type; None or no entry for the columns whose texts decide.
    """
    columns = {name: texts.column(name).combine_chunks() for name in texts.column_names if name != target}
    by_texts = {name: recognize_texts(name, cells) for name, cells in columns.items() if known.get(name) is None}
    recognized = {**{name: column for name, column in known.items() if column}, **settle_words(by_texts)}
    first = next(iter(columns), None)
    return [_infer_column(name, cells, recognized[name], is_first=name == first) for name, cells in columns.items()]


def _infer_column(name: str, cells: pa.Array, recognized: RecognizedColumn, *, is_first: bool) -> InferredColumn:
    words = pa.array(recognized.text_format.null_values, pa.string())
    present = cells.filter(pc.invert(pc.is_in(cells, value_set=words))).drop_null()
    nullable = len(present) < len(cells)
    if not len(present):
        return InferredColumn(name, "string", nullable=True, role="ignore", note="has no values")
    kind = recognized.text_format.kind
    values = parse_column(present, TextFormat(kind) if recognized.is_typed else recognized.text_format)[0]
    declared = InferredColumn(
        name,
        DTYPES[kind],
        nullable,
        keys=_form_keys(recognized),
        unit=recognized.unit,
        assumptions=_assumptions(recognized),
    )
    if not nullable and (reason := id_reason(name, kind, values, is_first=is_first)) is not None:
        is_unique = pc.count_distinct(values).as_py() == len(cells)
        return replace(declared, dtype=_plain_dtype(kind), role="id", unique=is_unique, note=reason)
    if not nullable and pc.count_distinct(values).as_py() == 1:
        return replace(declared, dtype=_plain_dtype(kind), role="ignore", note="has a single value")
    if kind == "text":
        return _infer_texts(declared, present, recognized)
    return replace(
        declared,
        checks=_infer_checks(name, kind, values),
        is_open=kind == "category" and not _is_closed_pair(values),
        example=_example_value(kind, values),
    )


def _form_keys(recognized: RecognizedColumn) -> dict[str, Any]:
    words = list(recognized.text_format.null_values)
    return {**recognized.keys, **({"null_values": words} if words else {})}


def _assumptions(recognized: RecognizedColumn) -> tuple[str, ...]:
    """Return the assumptions about texts, the first with the evidence; none where the texts leave nothing open."""
    is_open = bool(recognized.assumptions) or recognized.is_unrecognized
    if not is_open and not recognized.keys and not recognized.n_missing_words:
        return ()
    return (recognized.evidence, *recognized.assumptions)


def _plain_dtype(kind: ColumnKind) -> str:
    """Return the type of a column that is no feature: it lists no words."""
    return "string" if kind == "category" else DTYPES[kind]


def _infer_texts(declared: InferredColumn, present: pa.Array, recognized: RecognizedColumn) -> InferredColumn:
    """Return a column of words that repeat, or of texts."""
    if recognized.is_unrecognized and "dates" in recognized.evidence:
        return replace(declared, role="ignore", note="the form is not decided")
    n_distinct = pc.count_distinct(present).as_py()
    n_blanks = pc.mean(pc.count_substring(present, " ")).as_py()
    repeats = len(present) >= _MIN_ROWS_PER_WORD * n_distinct and n_blanks < _MIN_BLANKS_OF_TEXTS
    method = "words" if repeats else "text"
    noun = "words" if repeats else "texts"
    return replace(declared, keys={**declared.keys, "encode": method}, note=f"{n_distinct:,} different {noun}")


def _is_closed_pair(values: pa.Array) -> bool:
    distinct = pc.unique(values)
    words = {word.lower() for word in distinct.to_pylist()} if len(distinct) <= 2 else set()
    return any(words == pair for pair in _CLOSED_PAIRS)


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
