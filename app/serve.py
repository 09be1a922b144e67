"""Serve the dashboard (`streamlit run app/serve.py`): guard its requests, preload what the first page needs."""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import streamlit as st
from starlette.middleware import Middleware

from app.request_guard import RequestGuard

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

__all__ = ["streamlit_app"]

_PRERENDER_THREAD = "prerender"
# A first rendering takes half a second. The server starts even if an API or a database hangs; the page reports it.
_PRERENDER_TIMEOUT_S = 3
# The first page is rendered by then, and the slow queries do not delay it.
_PRELOAD_DELAY_S = 4


def _preload() -> None:
    """Load the engine and the model before the server is up, and the slow queries of single pages after it."""
    # Not at the top: caches look for Streamlit's server at import, and warn if it does not run yet.
    from app import queries
    from app.views import overview_page, predict_page

    # Rendering without a session logs a warning for each widget.
    for name in ("scriptrunner_utils.script_run_context", "state.session_state_proxy"):
        logging.getLogger(f"streamlit.runtime.{name}").setLevel(logging.ERROR)
    queries.preload_production()
    prerender = threading.Thread(
        target=_prerender, args=(overview_page.render, predict_page.render), name=_PRERENDER_THREAD, daemon=True
    )
    prerender.start()
    prerender.join(_PRERENDER_TIMEOUT_S)
    preload = threading.Timer(_PRELOAD_DELAY_S, queries.preload_slow_queries)
    preload.daemon = True
    preload.start()


def _prerender(*pages: Callable[[], None]) -> None:
    """Render pages without a session: the first rendering imports modules and compiles queries."""
    for render in pages:
        render()


@asynccontextmanager
async def _lifespan(_: object) -> AsyncIterator[None]:
    await asyncio.to_thread(_preload)
    yield


streamlit_app = st.App("main.py", lifespan=_lifespan, middleware=[Middleware(RequestGuard)])
