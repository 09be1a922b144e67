"""Serve the pages: `streamlit run app/serve.py`; what they need is there before the first reader is."""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

__all__ = ["streamlit_app"]

_PRERENDER_THREAD = "first drawing"
# A first drawing takes half a second. What hangs (an API, a database) is no reason to show nobody anything: the page says so.
_PRERENDER_TIMEOUT_S = 3
# The first reader's page is drawn by then, and not held up by what it does not need.
_PRELOAD_DELAY_S = 4


def _preload() -> None:
    """Load what answers before the server says that it is up, and after it what only some pages ask for."""
    # Not above: caches look for Streamlit's server when they are declared, and complain where there is none yet.
    from app import queries
    from app.views import (
        overview_page,
        predict_page,
    )

    # What is loaded and drawn here has no page.
    for name in ("scriptrunner_utils.script_run_context", "state.session_state_proxy"):
        logging.getLogger(f"streamlit.runtime.{name}").setLevel(logging.ERROR)
    queries.preload_production()
    first = threading.Thread(
        target=_prerender, args=(overview_page.render, predict_page.render), name=_PRERENDER_THREAD, daemon=True
    )
    first.start()
    first.join(_PRERENDER_TIMEOUT_S)
    rest = threading.Timer(_PRELOAD_DELAY_S, queries.preload_slow_queries)
    rest.daemon = True
    rest.start()


def _prerender(*pages: Callable[[], None]) -> None:
    """Draw pages for nobody: a first drawing imports, and compiles queries, for which the first reader would wait."""
    for render in pages:
        render()


@asynccontextmanager
async def _lifespan(_: object) -> AsyncIterator[None]:
    await asyncio.to_thread(_preload)
    yield


streamlit_app = st.App("main.py", lifespan=_lifespan)
