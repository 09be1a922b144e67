"""Links from page to page: the address of a page with its choices, and links that keep the session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import streamlit as st

from . import demo_mode

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["START_PAGE", "page_address", "set_pages", "show_link"]

START_PAGE = "overview"
_PAGES_KEY = "pages_by_name"


def set_pages(pages: Mapping[str, st.Page]) -> None:
    """Remember the pages of this session by name, for `show_link`."""
    st.session_state[_PAGES_KEY] = dict(pages)


def page_address(page: str, **parameters: Any) -> str:
    """Return the address of a page with its choices, relative to any other page.

    A parameter of a list is repeated, one of None is left out.

    Examples
    --------
    >>> page_address("history", version=2, where=["age>=8"])
    'history?version=2&where=age%3E%3D8'
    >>> page_address("overview")
    './'
    """
    session_parameters = demo_mode.DEMO_PARAMETERS if demo_mode.is_demo() else {}
    given = {**{name: value for name, value in parameters.items() if value is not None}, **session_parameters}
    path = "./" if page == START_PAGE else page
    return f"{path}?{urlencode(given, doseq=True)}" if given else path


def show_link(label: str, page: str, *, icon: str | None = None, **parameters: Any) -> None:
    """Show a link to a page with its choices; a click keeps the session and loads no document.

    Parameters
    ----------
    label : str
        Markdown.
    page : str
        Its name in `app.navigation`.
    icon : str or None
        Name of a material icon.
    parameters
        Choices of the page, as in `page_address`.
    """
    given = {
        name: [str(item) for item in value] if isinstance(value, list | tuple) else str(value)
        for name, value in parameters.items()
        if value is not None
    }
    pages = st.session_state.get(_PAGES_KEY)
    if pages is None:  # a page that is rendered once before the server starts has no session
        return
    target = pages[page]
    st.page_link(target, label=label, icon=None if icon is None else f":material/{icon}:", query_params=given or None)
