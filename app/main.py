"""The dashboard: its pages and its sidebar. Start it with `make app`."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from app import formatting, login, navigation, page, queries
from pipeline.errors import MlopsError

__all__ = ["main"]

# An icon by name would make the browser ask a host of Streamlit's publisher.
_ICON = Path(__file__).with_name("icon.png")
_SIDEBAR_WIDTH_PX = 230


def main() -> None:
    """Show the page that the URL names."""
    st.set_page_config(
        page_title="declarative-mlops", page_icon=_ICON, layout="wide", initial_sidebar_state=_SIDEBAR_WIDTH_PX
    )
    page.apply_style()
    selected_page = navigation.register_pages()
    with st.sidebar:
        navigation.show_navigation()
        page.error_boundary(_show_sidebar)
    selected_page.run()


def _show_sidebar() -> None:
    """Show the project and the user; nothing to those who may not see the pages."""
    try:
        config = queries.config()
    except MlopsError:
        st.caption("No results yet: run `make run`.")
        return
    user = queries.current_user()
    if user.explain_denial("viewer"):
        _show_user(user)
        return
    st.caption(
        f"Problem **{formatting.escape_markdown(config.data.name)}**  \n"
        f"Model **{formatting.escape_markdown(config.name)}**  \n"
        f"Times are in {formatting.escape_markdown(page.time_zone_label())}"
    )
    _show_user(user)


def _show_user(user: login.User) -> None:
    if not login.has_login() or user.denied_reason:
        return
    roles = ", ".join(sorted(user.roles)) or "no known role"
    st.caption(f"**{formatting.escape_markdown(user.name)}**  \n{formatting.escape_markdown(roles)}")
    st.button("Log out", icon=":material/logout:", on_click=st.logout, key="log_out")


main()
