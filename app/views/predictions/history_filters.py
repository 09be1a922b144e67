"""The filters of the history page: kept in the address, shown as buttons that remove them, added from a menu."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import streamlit as st

from pipeline.errors import UsageError
from pipeline.schema import Schema
from pipeline.schema.feature_labels import MODEL_OUTPUTS, FeatureLabels
from pipeline.state import PredictionQuery
from pipeline.state.column_filters import LOG_COLUMNS, OPERATORS, ColumnFilter, as_number, parse_column_filter

from ... import address, formatting, queries
from ...page_queries import prediction_queries
from ...time_range import choose_time_range

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.config.root_config import Config
    from pipeline.schema import Column

__all__ = ["HistoryChoices", "choose_filters", "clear_filters"]

_KEY = "history"
_TEXT_KEY = f"{_KEY}_text"
_OUTCOME_LABELS = {"any": "Any", "wrong": "Wrong", "right": "Right", "missing": "Without outcome"}
_LOG_LABELS = {
    **{name: MODEL_OUTPUTS[name] for name in ("class", "confidence")},
    "source": "Source",
    "variant": "Variant (champion, challenger)",
    "served_by": "Served by",
    "latency_us": "Latency in microseconds",
}
_OPERATOR_LABELS = {"!=": "≠", "<=": "≤", ">=": "≥"}
# Parameters of the address with the key of their widget; clearing the filters forgets both.
_WIDGETS = {"outcome": f"{_KEY}_outcome", "prediction": f"{_KEY}_class", "version": f"{_KEY}_version"}


@dataclass(frozen=True, slots=True)
class HistoryChoices:
    """What the filters select: the search, and whether the page refreshes by itself."""

    query: PredictionQuery
    labels: FeatureLabels
    is_live: bool

    @property
    def is_filtered(self) -> bool:
        """Whether a filter beside the range is selected."""
        return self.query.is_filtered


def choose_filters(config: Config) -> HistoryChoices:
    """Show range, text, choices and column filters, and return what they select.

    Raises
    ------
    UsageError
        When a filter of the text or of the address names no column of the log.
    """
    schema = Schema.from_config(config.data)
    labels = FeatureLabels.from_schema(schema)
    names = _filter_names(schema, labels)
    range_box, live_box = st.columns([8, 1], vertical_alignment="bottom")
    with range_box:
        time_range = choose_time_range(key=_KEY, with_all=True)
    is_live = live_box.toggle(
        "Live", value=False, key="history_live", help="Refreshes every 5 seconds", bind="query-params"
    )
    text = _search_box(schema, names)
    outcome, prediction, version = _choose_in_row(config, schema, labels)
    written = [_parse_written(text, names) for text in _filters_of_address()]
    text_filter = parse_column_filter(text, names)
    query = PredictionQuery(
        config.name,
        since=time_range.since,
        until=time_range.until if time_range.preset == "custom" else None,
        version=version or None,
        prediction=prediction or None,
        outcome=outcome,
        filters=tuple(_with_origin(each, schema) for each in [*written, *([text_filter] if text_filter else [])]),
        text="" if text_filter else text,
    )
    _show_filters(written, labels, is_filtered=query.is_filtered)
    return HistoryChoices(query, labels, is_live)


def _choose_in_row(config: Config, schema: Schema, labels: FeatureLabels) -> tuple[Any, str, int]:
    """Return outcome, predicted class (empty for any) and version (0 for any)."""
    outcome_box, class_box, version_box, menu_box = st.columns([5, 3, 2, 2], vertical_alignment="bottom")
    outcome = address.choose(
        outcome_box.segmented_control,
        list(_OUTCOME_LABELS),
        parameter="outcome",
        key=_WIDGETS["outcome"],
        default="any",
        format_func=_OUTCOME_LABELS.__getitem__,
        label="Outcome",
    )
    prediction = address.choose(
        class_box.selectbox,
        ["", *config.data.target.classes],
        parameter="prediction",
        key=_WIDGETS["prediction"],
        default="",
        format_func=lambda label: formatting.shorten(label) or "Any",
        label="Prediction",
    )
    version = address.choose(
        version_box.selectbox,
        [0, *(version.version for version in reversed(queries.versions(config.name)))],
        parameter="version",
        key=_WIDGETS["version"],
        default=0,
        format_func=lambda number: str(number or "Any"),
        label="Version",
    )
    with menu_box.popover("Add filter", icon=":material/filter_alt:", width="stretch"):
        _filter_menu(schema, labels)
    return outcome, prediction, version


def clear_filters() -> None:
    """Forget every filter but the range."""
    for parameter, key in _WIDGETS.items():
        address.forget(parameter=parameter, key=key)
    address.forget(parameter="text", key=_TEXT_KEY)
    st.query_params.pop("where", None)


def _filter_names(schema: Schema, labels: FeatureLabels) -> dict[str, str]:
    """Return what a user may write for a column; a feature goes before a column of the log."""
    outputs = {name: name for name in LOG_COLUMNS}
    if schema.target.positive is not None:
        outputs["score"] = "score"
    by_label = {labels.label(name): name for name in schema.feature_names}
    return {**outputs, **by_label, **{name: name for name in schema.feature_names}}


def _with_origin(column_filter: ColumnFilter, schema: Schema) -> ColumnFilter:
    if column_filter.column in schema.feature_names:
        return column_filter
    if column_filter.column == "score":
        return replace(column_filter, column=str(schema.target.positive), origin="probability")
    return replace(column_filter, origin="log")


def _search_box(schema: Schema, names: Mapping[str, str]) -> str:
    if _TEXT_KEY not in st.session_state:
        st.session_state[_TEXT_KEY] = st.query_params.get("text", "")
    example = schema.features[0].name if schema.features else "age"
    text: str = st.text_input(
        "Search",
        key=_TEXT_KEY,
        placeholder=f"A value, {formatting.shorten(example, 40)}>=8, or a prediction ID",
        help="Enter opens the prediction with this ID, or adds the filter. Operators: = != < <= > >=, `is missing`.",
        on_change=lambda: _submit_text(schema, names),
    ).strip()
    if text:
        st.query_params["text"] = text
    else:
        st.query_params.pop("text", None)
    return text


def _submit_text(schema: Schema, names: Mapping[str, str]) -> None:
    """Open the prediction that the text identifies, or make a filter of it; another text stays a search."""
    text = st.session_state[_TEXT_KEY].strip()
    _forget_place()
    if text and prediction_queries.is_logged(text):
        st.query_params["prediction_id"] = text
        st.session_state[_TEXT_KEY] = ""
        return
    try:
        column_filter = parse_column_filter(text, names)
    except UsageError:
        return  # the page names the unknown column
    if column_filter is not None:
        _add_filter(str(_with_declared_word(column_filter, schema)))
        st.session_state[_TEXT_KEY] = ""


def _with_declared_word(column_filter: ColumnFilter, schema: Schema) -> ColumnFilter:
    """Return a filter with the spelling of the declared word that its value is in another case."""
    words: dict[str, tuple[str, ...]] = {column.name: column.categories for column in schema.features}
    declared = words.get(column_filter.column, schema.target.classes if column_filter.column == "class" else ())
    by_folded = {word.casefold(): word for word in declared}
    if column_filter.value in declared or column_filter.value.casefold() not in by_folded:
        return column_filter
    return replace(column_filter, value=by_folded[column_filter.value.casefold()])


def _parse_written(text: str, names: Mapping[str, str]) -> ColumnFilter:
    column_filter = parse_column_filter(text, names)
    if column_filter is None:
        raise UsageError(f"where={text!r} in the address is not a filter; expected one such as age>=8")
    return column_filter


def _filters_of_address() -> list[str]:
    return st.query_params.get_all("where")


def _add_filter(text: str) -> None:
    st.query_params["where"] = list(dict.fromkeys([*_filters_of_address(), text]))
    _forget_place()


def _remove_filter(position: int) -> None:
    texts = _filters_of_address()
    st.query_params["where"] = [*texts[:position], *texts[position + 1 :]]
    _forget_place()


def _forget_place() -> None:
    """Go back to the newest predictions."""
    st.query_params.pop("before", None)


def _show_filters(written: list[ColumnFilter], labels: FeatureLabels, *, is_filtered: bool) -> None:
    if not is_filtered:
        return
    with st.container(horizontal=True, gap="small"):
        for position, column_filter in enumerate(written):
            st.button(
                formatting.escape_markdown(_filter_text(column_filter, labels)),
                icon=":material/close:",
                key=f"{_KEY}_remove_{position}_{column_filter}",
                help="Remove this filter",
                on_click=_remove_filter,
                args=(position,),
            )
        st.button("Clear filters", key=f"{_KEY}_clear", type="tertiary", on_click=clear_filters)


def _filter_text(column_filter: ColumnFilter, labels: FeatureLabels) -> str:
    symbol = _OPERATOR_LABELS.get(column_filter.operator, column_filter.operator)
    number = as_number(column_filter.value)
    value = formatting.shorten(column_filter.value, 40) if number is None else f"{number:.6g}"
    return f"{_label(column_filter.column, labels)} {symbol} {value}".strip()


def _label(name: str, labels: FeatureLabels) -> str:
    return labels.label(name) if name in labels.by_name else _LOG_LABELS.get(name) or labels.label(name)


def _filter_menu(schema: Schema, labels: FeatureLabels) -> None:
    columns = {column.name: column for column in schema.features}
    names = [*columns, *(name for name in _LOG_LABELS if name not in columns)]
    name = st.selectbox("Column", names, format_func=lambda name: _label(name, labels), key=f"{_KEY}_menu_column")
    symbols = [symbol for symbol in OPERATORS if symbol != "is missing" or name in columns]
    symbol = st.selectbox(
        "Condition", symbols, format_func=lambda symbol: _OPERATOR_LABELS.get(symbol, symbol), key=f"{_KEY}_menu_symbol"
    )
    value_key = f"{_KEY}_menu_value_{name}"
    if symbol != "is missing":
        _value_input(columns.get(name), value_key)
    st.button("Add", type="primary", key=f"{_KEY}_menu_add", on_click=_add_from_menu, args=(name, symbol, value_key))


def _add_from_menu(name: str, symbol: str, value_key: str) -> None:
    """Add the filter with the value of this click, which may be newer than the page."""
    value = "" if symbol == "is missing" else str(st.session_state[value_key]).strip()
    if value or symbol == "is missing":
        _add_filter(str(ColumnFilter(name, symbol, value)))
    else:
        st.toast("Enter a value for the filter.", icon=":material/error:")


def _value_input(column: Column | None, key: str) -> None:
    choices = {"boolean": ("true", "false")}.get(column.kind, column.categories) if column is not None else ()
    if choices:
        st.selectbox("Value", choices, format_func=formatting.shorten, key=key)
    else:
        st.text_input("Value", key=key)
