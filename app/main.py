"""The app's frame: which pages there are, and what stands beside all of them. Start it with `make app`."""

from __future__ import annotations

import streamlit as st

from app import access, frame, reader, words
from app.views import configuration, data, experiments, history, models, monitoring, overview, predict
from pipeline.errors import MlopsError

__all__ = ["main"]


def main() -> None:
    """Show the page that the address names."""
    st.set_page_config(page_title="declarative-mlops", page_icon=":material/schema:", layout="wide")
    pages = {
        "Now": [
            st.Page(overview.render, title="Overview", icon=":material/dashboard:", url_path="overview", default=True),
            st.Page(predict.render, title="Predict", icon=":material/online_prediction:", url_path="predict"),
            st.Page(monitoring.render, title="Monitoring", icon=":material/monitoring:", url_path="monitoring"),
            st.Page(history.render, title="History", icon=":material/history:", url_path="history"),
        ],
        "Behind it": [
            st.Page(models.render, title="Models", icon=":material/deployed_code:", url_path="models"),
            st.Page(data.render, title="Data", icon=":material/table_chart:", url_path="data"),
            st.Page(experiments.render, title="Experiments", icon=":material/science:", url_path="experiments"),
            st.Page(configuration.render, title="Configuration", icon=":material/tune:", url_path="configuration"),
        ],
    }
    chosen = st.navigation(pages)
    with st.sidebar:
        _show_project()
        frame.error_boundary(_show_login)
    chosen.run()


def _show_project() -> None:
    try:
        settings = access.config()
    except MlopsError:
        st.caption("No results yet: run `make run`.")
        return
    st.caption(f"Problem **{words.escape_markdown(settings.data.name)}**  \nModel **{words.escape_markdown(settings.name)}**")


def _show_login() -> None:
    if not reader.has_login():
        return
    who = access.current_user()
    if who.denied_reason:
        st.button("Log in", icon=":material/login:", on_click=st.login, key="log_in")
        return
    roles = ", ".join(sorted(who.roles)) or "no role that is known here"
    st.caption(f"**{words.escape_markdown(who.name)}**  \n{words.escape_markdown(roles)}")
    st.button("Log out", icon=":material/logout:", on_click=st.logout, key="log_out")


main()
