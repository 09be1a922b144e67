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


def _ready() -> None:
    """Load what answers before the server says that it is up, and after it what only some pages ask for."""
    # Not above: caches look for Streamlit's server when they are declared, and complain where there is none yet.
    from app import access
    from app.views import configuration, data, experiments, history, models, monitoring, overview, predict  # noqa: F401

    # Spinners of what is loaded here have no page to turn on.
    logging.getLogger("streamlit.runtime.scriptrunner_utils.script_run_context").setLevel(logging.ERROR)
    access.warm()
    threading.Thread(target=access.warm_rest, name="warm", daemon=True).start()


@asynccontextmanager
async def _warm(_: object) -> AsyncIterator[None]:
    await asyncio.to_thread(_ready)
    yield


served = st.App("main.py", lifespan=_warm)
