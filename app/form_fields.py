"""Create the input widget of a declared feature, and its example value."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import streamlit as st

from app import formatting

if TYPE_CHECKING:
    from pipeline.schema import Column

__all__ = ["example_value", "feature_input"]

_MAX_LINE = 40
_MAX_SAFE_INTEGER = 2**53 - 1
_BOOLEAN_LABELS = {True: "true", False: "false"}


def feature_input(column: Column) -> Any:
    """Show the widget of a feature and return its value; None if it is empty."""
    return _WIDGETS[column.kind](column)


def example_value(column: Column) -> Any:
    """Return the declared example, else a category or the minimum; None if neither is declared."""
    if column.example is not None:
        return column.example
    if column.categories:
        return column.categories[0]
    if column.nullable or column.minimum is None:
        return None
    return round(column.minimum) if column.kind == "integer" else float(column.minimum)


def _label(column: Column) -> str:
    return (
        f"{formatting.escape_markdown(column.label)} :gray[{formatting.escape_markdown(column.unit)}]"
        if column.unit
        else formatting.escape_markdown(column.label)
    )


def _help_text(column: Column) -> str:
    parts = [formatting.escape_markdown(column.description)] if column.description else []
    parts += [f"Feature `{formatting.shorten(column.name).replace('`', '')}`"]
    if column.minimum is not None or column.maximum is not None:
        low, high = ("any" if bound is None else f"{bound:g}" for bound in (column.minimum, column.maximum))
        parts += [f"From {formatting.escape_markdown(low)} to {formatting.escape_markdown(high)}"]
    parts += ["Another word is accepted"] if column.accepts_unseen else []
    parts += ["Optional" if column.nullable else "Required"]
    return ". ".join(parts)


def _shared_options(column: Column) -> dict[str, Any]:
    return {"key": f"field_{column.name}", "help": _help_text(column)}


def _number_input(column: Column) -> Any:
    is_whole = column.kind == "integer"
    kind: Any = int if is_whole else float
    low, high = (_widget_bound(bound, kind) for bound in (column.minimum, column.maximum))
    example = example_value(column)
    return st.number_input(
        _label(column),
        min_value=low,
        max_value=high,
        value=None if example is None else kind(example),
        step=1 if is_whole else _step_size(low, high),
        format="%d" if is_whole else "%g",
        placeholder="missing" if column.nullable else "required",
        **_shared_options(column),
    )


def _widget_bound(value: float | None, kind: Any) -> Any:
    """Return a bound for the widget; None if a browser's numbers cannot hold it."""
    return None if value is None or abs(value) > _MAX_SAFE_INTEGER else kind(value)


def _step_size(low: float | None, high: float | None) -> float:
    """Return a hundredth of the range, rounded to a power of ten."""
    if low is None or high is None or high <= low:
        return 0.1
    return float(10.0 ** round(math.log10((high - low) / 100)))


def _select_box(column: Column) -> Any:
    options: list[Any] = [True, False] if column.kind == "boolean" else list(column.categories)
    example = example_value(column)
    return st.selectbox(
        _label(column),
        options,
        accept_new_options=column.accepts_unseen,
        index=options.index(example) if example in options else None,
        format_func=lambda value: _BOOLEAN_LABELS[value] if isinstance(value, bool) else formatting.shorten(value),
        placeholder="missing" if column.nullable else "required",
        **_shared_options(column),
    )


def _text_input(column: Column) -> Any:
    example = example_value(column)
    hint = column.text_format.example or ("missing" if column.nullable else "required")
    value = "" if example is None else str(example)
    # A long example shows that people write sentences here.
    widget = st.text_area if column.kind == "text" and len(value) > _MAX_LINE else st.text_input
    text = widget(
        _label(column),
        value=value,
        placeholder=hint,
        max_chars=2000,
        **_shared_options(column),
    )
    return text or None


_WIDGETS = {
    "integer": _number_input,
    "float": _number_input,
    "boolean": _select_box,
    "category": _select_box,
    "text": _text_input,
    "datetime": _text_input,
}
