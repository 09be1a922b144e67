"""Keep the choices of a page in its address by id, so that a link survives changed labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import streamlit as st

from . import formatting

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["choose", "choose_several", "chosen_ids", "forget", "keep"]

_T = TypeVar("_T")


def choose(
    widget: Callable[..., Any],
    options: Sequence[_T],
    *,
    parameter: str,
    key: str,
    default: _T,
    format_func: Callable[[_T], str],
    **settings: Any,
) -> _T:
    """Show a widget that selects one option, and keep the selected one in the address as `parameter`.

    An unknown id in the address selects `default`, and a note names both when the page opens. Streamlit keeps the
    label of a selection; if labels change, the selected id stays.

    Parameters
    ----------
    widget : callable
        Such as `st.selectbox`.
    options : sequence
        The ids.
    parameter, key : str
        Name in the address, and key of the widget.
    default : an option
    format_func : callable
        Label of an option on the page.
    settings
        Passed to the widget: `label` and others.
    """
    by_id = {str(option): option for option in options}
    labels_key = f"{key}_labels"
    labels = [format_func(option) for option in options]
    if key not in st.session_state or st.session_state.get(labels_key) != labels:
        asked = st.query_params.get(parameter, "")
        if asked and asked not in by_id and key not in st.session_state:
            name = f"{parameter.capitalize()} {asked[:60]}"
            note = f"{name} of the address is not available; {format_func(default)} is shown"
            st.toast(formatting.escape_markdown(note), icon=":material/link_off:", duration="long")
        st.session_state[key] = by_id.get(asked, default)
    st.session_state[labels_key] = labels
    selected: _T | None = widget(options=list(options), format_func=format_func, key=key, **settings)
    chosen = default if selected is None else selected
    if st.query_params.get(parameter) != str(chosen):
        st.query_params[parameter] = str(chosen)
    return chosen


def choose_several(
    options: Sequence[str],
    *,
    parameter: str,
    key: str,
    default: Sequence[str],
    format_func: Callable[[str], str],
    **settings: Any,
) -> list[str]:
    """Show a box that selects several options, and keep them in the address, separated by commas.

    Unknown ids in the address are left out; without a known one, `default` is selected.

    Parameters
    ----------
    options : sequence of str
        The ids.
    parameter, key : str
        Name in the address, and key of the box.
    default : sequence of str
    format_func : callable
        Label of an option on the page.
    settings
        Passed to `st.multiselect`: `label` and others.
    """
    labels_key = f"{key}_labels"
    labels = [format_func(option) for option in options]
    if key not in st.session_state or st.session_state.get(labels_key) != labels:
        known = [name for name in chosen_ids(parameter) if name in options]
        st.session_state[key] = known or [name for name in default if name in options]
    st.session_state[labels_key] = labels
    selected: list[str] = st.multiselect(options=list(options), format_func=format_func, key=key, **settings)
    keep(parameter, ",".join(selected))
    return selected


def chosen_ids(parameter: str) -> list[str]:
    """Return the ids of a parameter of the address, separated by commas."""
    return [name for name in st.query_params.get(parameter, "").split(",") if name]


def keep(parameter: str, value: str) -> None:
    """Keep a value in the address; an empty one leaves the parameter out."""
    if not value:
        st.query_params.pop(parameter, None)
    elif st.query_params.get(parameter) != value:
        st.query_params[parameter] = value


def forget(*, parameter: str, key: str) -> None:
    """Forget a choice, so that the next run of the page starts with its default."""
    st.session_state.pop(key, None)
    st.query_params.pop(parameter, None)
