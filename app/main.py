"""The dashboard: its pages and its sidebar. Start it with `make app`."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from app import formatting, login, page, queries
from app.views import (
    configuration_page,
    data_page,
    experiments_page,
    history_page,
    loop_page,
    models_page,
    monitoring_page,
    overview_page,
    predict_page,
)
from pipeline.errors import MlopsError

__all__ = ["main"]

# An icon by name would make the browser ask a host of Streamlit's publisher.
_ICON = Path(__file__).with_name("icon.png")


def main() -> None:
    """Show the page that the URL names."""
    st.set_page_config(page_title="declarative-mlops", page_icon=_ICON, layout="wide")
    pages = {
        "Production": [
            st.Page(
                overview_page.render, title="Overview", icon=":material/dashboard:", url_path="overview", default=True
            ),
            st.Page(predict_page.render, title="Predict", icon=":material/online_prediction:", url_path="predict"),
            st.Page(monitoring_page.render, title="Monitoring", icon=":material/monitoring:", url_path="monitoring"),
            st.Page(loop_page.render, title="Loop", icon=":material/autorenew:", url_path="loop"),
            st.Page(history_page.render, title="History", icon=":material/history:", url_path="history"),
        ],
        "Models and data": [
            st.Page(models_page.render, title="Models", icon=":material/deployed_code:", url_path="models"),
            st.Page(data_page.render, title="Data", icon=":material/table_chart:", url_path="data"),
            st.Page(experiments_page.render, title="Experiments", icon=":material/science:", url_path="experiments"),
            st.Page(configuration_page.render, title="Configuration", icon=":material/tune:", url_path="configuration"),
        ],
    }
    selected_page = st.navigation(pages)
    with st.sidebar:
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
        f"Model **{formatting.escape_markdown(config.name)}**"
    )
    _show_user(user)


def _show_user(user: login.User) -> None:
    if not login.has_login() or user.denied_reason:
        return
    roles = ", ".join(sorted(user.roles)) or "no known role"
    st.caption(f"**{formatting.escape_markdown(user.name)}**  \n{formatting.escape_markdown(roles)}")
    st.button("Log out", icon=":material/logout:", on_click=st.logout, key="log_out")


main()
