"""Take types and words from a frame as they are, where nobody declared them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

from pipeline.errors import UsageError
from pipeline.schema import DTYPES, Column, Kind, Schema, Target

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["infer_feature_schema", "infer_frame_schema"]

_MAX_CLASSES = 20
_MAX_LENGTH = 80
_MAX_CATEGORIES = 50


def infer_frame_schema(frame: pd.DataFrame, *, target: str | None, other: pd.DataFrame | None = None) -> Schema:
    """Return a schema that accepts `frame`: every value may be missing, no rule is made up.

    Parameters
    ----------
    frame : DataFrame
    target : str or None
        The column to predict; None takes the last one that has 2 to 20 different words of at most 80
        characters, and where there is none, no column.
    also : DataFrame, optional
        Rows whose classes belong to the target too.

    Raises
    ------
    UsageError
        When `target` is no column of `frame`, or has fewer than two classes.
    """
    if target is not None and target not in frame.columns:
        raise UsageError(f"target {target!r} is no column; the frame has {', '.join(map(str, frame.columns))}")
    name = target if target is not None else _infer_target_name(frame)
    classes = _distinct_classes(frame, name, other) if name is not None else ("no", "yes")
    if len(classes) < 2:
        raise UsageError(f"target {name!r} has one class only: {', '.join(classes) or 'none'}")
    columns = tuple(_infer_column(one, frame[one]) for one in frame.columns if one != name)
    positive = classes[-1] if len(classes) == 2 else None
    return Schema("frame", columns, Target(name if name is not None else "target", classes, positive))


def infer_feature_schema(frame: pd.DataFrame, *, target: str, other: pd.DataFrame) -> Schema:
    """Return a schema from which a model can learn: words are listed, long texts set aside, dates are times.

    Parameters
    ----------
    frame, also : DataFrame
        Rows to learn from and rows to judge by; words of both are known.
    target : str
        The column to predict.

    Raises
    ------
    UsageError
        When the target has fewer than two classes.
    """
    guessed = infer_frame_schema(frame, target=target, other=other)
    return replace(guessed, columns=tuple(_usable_column(column, frame, other) for column in guessed.columns))


def _usable_column(column: Column, frame: pd.DataFrame, other: pd.DataFrame) -> Column:
    if column.kind == "text":
        return replace(column, role="ignore")
    if column.kind == "datetime":
        return replace(column, role="time")
    if column.kind != "category":
        return column
    words = sorted({str(word) for part in (frame, other) for word in part[column.name].dropna().unique()})
    return replace(column, categories=tuple(words), checks={"isin": words})


def _infer_target_name(frame: pd.DataFrame) -> str | None:
    likely = [str(name) for name in frame.columns if _looks_like_target(frame[name])]
    return likely[-1] if likely else None


def _looks_like_target(values: pd.Series) -> bool:
    if _infer_kind(values) != "category" or not 2 <= values.nunique() <= _MAX_CLASSES:
        return False
    return all(len(str(word)) <= _MAX_LENGTH for word in values.dropna().unique())


def _distinct_classes(frame: pd.DataFrame, name: str, other: pd.DataFrame | None) -> tuple[str, ...]:
    parts = [frame[name]] if other is None else [frame[name], other[name]]
    return tuple(sorted({str(value) for part in parts for value in part.dropna().unique()}))


def _infer_column(name: Hashable, values: pd.Series) -> Column:
    kind = _infer_kind(values)
    return Column(str(name), kind, DTYPES[kind], nullable=True)


def _infer_kind(values: pd.Series) -> Kind:
    dtype = values.dtype
    if pd.api.types.is_bool_dtype(dtype):
        return "boolean"
    if pd.api.types.is_integer_dtype(dtype):
        return "integer"
    if pd.api.types.is_numeric_dtype(dtype):
        return "float"
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return "datetime"
    return "category" if _count_distinct(values) <= _MAX_CATEGORIES else "text"


def _count_distinct(values: pd.Series) -> float:
    try:
        return values.nunique()
    except TypeError:  # lists and the like cannot be told apart; the reader says what they are
        return math.inf
