"""The script that Streamlit runs (`mlops app`): the server of the dashboard with its request guard."""

from __future__ import annotations

import streamlit as st
from starlette.middleware import Middleware

from pipeline.project.engine_files import import_app_module

__all__ = ["streamlit_app"]

# Streamlit runs this file by its path, so it has no package to import from.
_preload = import_app_module("preload")
_request_guard = import_app_module("request_guard")

streamlit_app = st.App("main.py", lifespan=_preload.lifespan, middleware=[Middleware(_request_guard.RequestGuard)])
