"""Infer a schema from the types and categories of a frame that has no declaration."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

from pipeline.errors import UsageError
from pipeline.schema import DTYPES, Column, ColumnKind, Schema, Target
from pipeline.schema.column_kinds import MAX_CATEGORIES

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["infer_feature_schema", "infer_frame_schema"]

_MAX_CLASSES = 20
_MAX_LENGTH = 80


def infer_frame_schema(frame: pd.DataFrame, *, target: str | None, other: pd.DataFrame | None = None) -> Schema:
    """Return a schema that accepts `frame`: every value may be missing, and there are no checks.

    Parameters
    ----------
    frame : DataFrame
    target : str or None
        The column to predict; None takes the last column of 2 to 20 categories of at most 80 characters, or
        no column where there is none.
    other : DataFrame, optional
        Rows whose classes belong to the target too.

    Raises
    ------
    UsageError
        When `target` is not a column of `frame`, or has fewer than two classes.
    """
    if target is not None and target not in frame.columns:
        raise UsageError(f"target {target!r} is not a column; the frame has {', '.join(map(str, frame.columns))}")
    name = target if target is not None else _infer_target_name(frame)
    classes = _distinct_classes(frame, name, other) if name is not None else ("no", "yes")
    if len(classes) < 2:
        raise UsageError(f"target {name!r} needs two classes; found {', '.join(classes) or 'none'}")
    columns = tuple(_infer_column(column, frame[column]) for column in frame.columns if column != name)
    positive = classes[-1] if len(classes) == 2 else None
    return Schema("frame", columns, Target(name if name is not None else "target", classes, positive))


def infer_feature_schema(frame: pd.DataFrame, *, target: str, other: pd.DataFrame) -> Schema:
    """Return a schema for training: categories are listed, texts are ignored, dates are times.

    Parameters
    ----------
    frame, other : DataFrame
        Training rows and evaluation rows; the categories are those of both.
    target : str
        The column to predict.

    Raises
    ------
    UsageError
        When the target has fewer than two classes.
    """
    schema = infer_frame_schema(frame, target=target, other=other)
    return replace(schema, columns=tuple(_feature_column(column, frame, other) for column in schema.columns))


def _feature_column(column: Column, frame: pd.DataFrame, other: pd.DataFrame) -> Column:
    if column.kind == "text":
        return replace(column, role="ignore")
    if column.kind == "datetime":
        return replace(column, role="time")
    if column.kind != "category":
        return column
    categories = sorted({str(value) for rows in (frame, other) for value in rows[column.name].dropna().unique()})
    return replace(column, categories=tuple(categories), checks={"isin": categories})


def _infer_target_name(frame: pd.DataFrame) -> str | None:
    candidates = [str(name) for name in frame.columns if _looks_like_target(frame[name])]
    return candidates[-1] if candidates else None


def _looks_like_target(values: pd.Series) -> bool:
    if _infer_kind(values) != "category" or not 2 <= values.nunique() <= _MAX_CLASSES:
        return False
    return all(len(str(value)) <= _MAX_LENGTH for value in values.dropna().unique())


def _distinct_classes(frame: pd.DataFrame, name: str, other: pd.DataFrame | None) -> tuple[str, ...]:
    parts = [frame[name]] if other is None else [frame[name], other[name]]
    return tuple(sorted({str(value) for part in parts for value in part.dropna().unique()}))


def _infer_column(name: Hashable, values: pd.Series) -> Column:
    kind = _infer_kind(values)
    return Column(str(name), kind, DTYPES[kind], nullable=True)


def _infer_kind(values: pd.Series) -> ColumnKind:
    dtype = values.dtype
    if pd.api.types.is_bool_dtype(dtype):
        return "boolean"
    if pd.api.types.is_integer_dtype(dtype):
        return "integer"
    if pd.api.types.is_numeric_dtype(dtype):
        return "float"
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return "datetime"
    return "category" if _count_distinct(values) <= MAX_CATEGORIES else "text"


def _count_distinct(values: pd.Series) -> float:
    try:
        return values.nunique()
    except TypeError:  # unhashable values, such as lists; reading them reports their type
        return math.inf
