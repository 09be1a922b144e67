"""Serve the pages: `streamlit run app/serve.py`; what they need is there before the first reader is."""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["served"]

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
    for page in (overview, predict):  # a first drawing imports, and compiles queries: half a second of the first reader
        page.render()
    rest = threading.Timer(_LATER_S, access.warm_rest)
    rest.daemon = True
    rest.start()


@asynccontextmanager
async def _warm(_: object) -> AsyncIterator[None]:
    await asyncio.to_thread(_ready)
    yield


served = st.App("main.py", lifespan=_warm)
