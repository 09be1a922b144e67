"""The panel of one file of conf/: the lines around the one that sets a value."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from pipeline.text import visible_text

from ... import formatting, html_table, links, queries

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["file_link", "show_requested_file"]

_N_AROUND = 8
_KEPT_PARAMETERS = ("show", "group", "config_search")


def file_link(name: str, line: int | None) -> html_table.Link:
    """Return the link of a file, or of a line of it; the other choices of the page stay."""
    chosen = {parameter: st.query_params.get(parameter) for parameter in _KEPT_PARAMETERS}
    label = name if line is None else f"{name}:{line}"
    return html_table.Link(label, links.page_address("configuration", **chosen, file=name, line=line))


def show_requested_file(names: Collection[str]) -> None:
    """Show the file that the address names, if it is one of `names`."""
    name, line = st.query_params.get("file", ""), _requested_line()
    path = queries.settings_file(name) if name in names else None
    if path is None:
        return
    lines = path.read_text(encoding="utf-8").splitlines()
    with st.container(border=True):
        title, close = st.columns([6, 1], vertical_alignment="center")
        title.markdown(f"**{formatting.escape_markdown(name)}**" + (f", line {line}" if line else ""))
        close.button("Close", icon=":material/close:", key="close_settings_file", on_click=_forget_file)
        st.html(_excerpt(lines, line))


def _requested_line() -> int:
    text = st.query_params.get("line", "")
    return int(text) if text.isdecimal() and len(text) < 9 else 0


def _forget_file() -> None:
    for parameter in ("file", "line"):
        st.query_params.pop(parameter, None)


def _excerpt(lines: list[str], line: int) -> str:
    """Return the HTML of the lines around one, or of the whole file for line 0."""
    first, last = (max(1, line - _N_AROUND), min(len(lines), line + _N_AROUND)) if line else (1, len(lines))
    shown = "\n".join(
        f'<span class="{"marked" if number == line else "line"}">{number:5d}  {escape(visible_text(text))}</span>'
        for number, text in enumerate(lines[first - 1 : last], first)
    )
    return (
        f'<div class="mlops-source" tabindex="0" role="region" aria-label="Lines of the file"><pre>{shown}</pre></div>'
    )
