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

__all__ = ["served"]

_FIRST = "first drawing"
# A first drawing takes half a second. What hangs (an API, a database) is no reason to show nobody anything: the page says so.
_FIRST_S = 3
# The first reader's page is drawn by then, and not held up by what it does not need.
_LATER_S = 4


def _ready() -> None:
    """Load what answers before the server says that it is up, and after it what only some pages ask for."""
    # Not above: caches look for Streamlit's server when they are declared, and complain where there is none yet.
    from app import access
    from app.views import configuration, data, experiments, history, models, monitoring, overview, predict  # noqa: F401

    # What is loaded and drawn here has no page.
    for name in ("scriptrunner_utils.script_run_context", "state.session_state_proxy"):
        logging.getLogger(f"streamlit.runtime.{name}").setLevel(logging.ERROR)
    access.warm()
    first = threading.Thread(target=_draw, args=(overview.render, predict.render), name=_FIRST, daemon=True)
    first.start()
    first.join(_FIRST_S)
    rest = threading.Timer(_LATER_S, access.warm_rest)
    rest.daemon = True
    rest.start()


def _draw(*pages: Callable[[], None]) -> None:
    """Draw pages for nobody: a first drawing imports, and compiles queries, for which the first reader would wait."""
    for render in pages:
        render()


@asynccontextmanager
async def _warm(_: object) -> AsyncIterator[None]:
    await asyncio.to_thread(_ready)
    yield


served = st.App("main.py", lifespan=_warm)
