"""The app's frame: which pages there are, and what stands beside all of them. Start it with `make app`."""

from __future__ import annotations

import streamlit as st

from app import formatting, login, page, queries
from app.views import (
    configuration_page,
    data_page,
    experiments_page,
    history_page,
    models_page,
    monitoring_page,
    overview_page,
    predict_page,
)
from pipeline.errors import MlopsError

__all__ = ["main"]


def main() -> None:
    """Show the page that the address names."""
    st.set_page_config(page_title="declarative-mlops", page_icon=":material/schema:", layout="wide")
    pages = {
        "Now": [
            st.Page(
                overview_page.render, title="Overview", icon=":material/dashboard:", url_path="overview", default=True
            ),
            st.Page(predict_page.render, title="Predict", icon=":material/online_prediction:", url_path="predict"),
            st.Page(monitoring_page.render, title="Monitoring", icon=":material/monitoring:", url_path="monitoring"),
            st.Page(history_page.render, title="History", icon=":material/history:", url_path="history"),
        ],
        "Behind it": [
            st.Page(models_page.render, title="Models", icon=":material/deployed_code:", url_path="models"),
            st.Page(data_page.render, title="Data", icon=":material/table_chart:", url_path="data"),
            st.Page(experiments_page.render, title="Experiments", icon=":material/science:", url_path="experiments"),
            st.Page(configuration_page.render, title="Configuration", icon=":material/tune:", url_path="configuration"),
        ],
    }
    chosen = st.navigation(pages)
    with st.sidebar:
        _show_project()
        page.error_boundary(_show_login)
    chosen.run()


def _show_project() -> None:
    try:
        settings = queries.config()
    except MlopsError:
        st.caption("No results yet: run `make run`.")
        return
    st.caption(
        f"Problem **{formatting.escape_markdown(settings.data.name)}**  \nModel **{formatting.escape_markdown(settings.name)}**"
    )


def _show_login() -> None:
    if not login.has_login():
        return
    who = queries.current_user()
    if who.denied_reason:
        st.button("Log in", icon=":material/login:", on_click=st.login, key="log_in")
        return
    roles = ", ".join(sorted(who.roles)) or "no role that is known here"
    st.caption(f"**{formatting.escape_markdown(who.name)}**  \n{formatting.escape_markdown(roles)}")
    st.button("Log out", icon=":material/logout:", on_click=st.logout, key="log_out")


main()
