"""Create the input widget of a declared feature, and its example value."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import streamlit as st

from ... import formatting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pipeline.schema import Column

__all__ = ["address_values", "example_value", "feature_input", "values_of_address"]

_MAX_LINE = 40
_MAX_SAFE_INTEGER = 2**53 - 1
_BOOLEAN_LABELS = {True: "true", False: "false"}
# Longer addresses are cut by some programs.
_MAX_ADDRESS_LENGTH = 1500


def feature_input(column: Column, first_value: Any) -> Any:
    """Show the widget of a feature, which has `first_value` at first, and return its value; None if it is empty."""
    return _WIDGETS[column.kind](column, first_value)


def values_of_address(columns: Sequence[Column], texts: Sequence[str]) -> dict[str, Any]:
    """Return the first value of each feature: that of a text such as `age=8`, else its example.

    A text without a value means a missing one. One that the column does not allow is left out.
    """
    given = dict(text.split("=", 1) for text in texts if "=" in text)
    values = {column.name: example_value(column) for column in columns}
    for column in columns:
        if column.name in given:
            values[column.name] = _read(column, given[column.name], values[column.name])
    return values


def address_values(columns: Sequence[Column], values: Mapping[str, Any]) -> list[str]:
    """Return the values that differ from the examples as texts for the address; empty where they are too long."""
    texts = [
        f"{column.name}={_as_text(values.get(column.name))}"
        for column in columns
        if values.get(column.name) != example_value(column)
    ]
    return texts if sum(map(len, texts)) <= _MAX_ADDRESS_LENGTH else []


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    return _BOOLEAN_LABELS[value] if isinstance(value, bool) else str(value)


def _read(column: Column, text: str, otherwise: Any) -> Any:
    if not text:
        return None
    try:
        value: Any = _READERS.get(column.kind, str)(text)
    except (ValueError, KeyError, OverflowError):
        return otherwise
    if column.kind == "category":
        return value if value in column.categories or column.accepts_unseen else otherwise
    is_inside = not column.is_numeric or (
        (column.minimum is None or value >= column.minimum) and (column.maximum is None or value <= column.maximum)
    )
    return value if is_inside and value == value else otherwise  # noqa: PLR0124 - NaN


_READERS: Mapping[str, Callable[[str], Any]] = {
    "integer": int,
    "float": float,
    "boolean": {label: value for value, label in _BOOLEAN_LABELS.items()}.__getitem__,
}


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


def _number_input(column: Column, example: Any) -> Any:
    is_whole = column.kind == "integer"
    kind: Any = int if is_whole else float
    low, high = (_widget_bound(bound, kind) for bound in (column.minimum, column.maximum))
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


def _select_box(column: Column, example: Any) -> Any:
    options: list[Any] = [True, False] if column.kind == "boolean" else list(column.categories)
    if example is not None and example not in options:
        options.append(example)
    return st.selectbox(
        _label(column),
        options,
        accept_new_options=column.accepts_unseen,
        index=options.index(example) if example in options else None,
        format_func=lambda value: _BOOLEAN_LABELS[value] if isinstance(value, bool) else formatting.shorten(value),
        placeholder="missing" if column.nullable else "required",
        **_shared_options(column),
    )


def _text_input(column: Column, example: Any) -> Any:
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
