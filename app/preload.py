"""Preload what the first page needs, before the server of the dashboard is up."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from altair.utils import schemapi

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

__all__ = ["lifespan"]

_PRERENDER_THREAD = "prerender"
_PRELOAD_THREAD = "preload"
# A first rendering takes half a second, MLflow's import one to two. The server starts even if an API or a database
# hangs; the page reports it.
_PRERENDER_TIMEOUT_S, _PRELOAD_TIMEOUT_S = 3, 5


def _preload() -> None:
    """Load the engine, the model and the slow queries of single pages before the server is up.

    After that, an import of MLflow would take half of the processor from the first pages.
    """
    # Not at the top: caches look for Streamlit's server at import, and warn if it does not run yet.
    from . import navigation, queries

    # Rendering without a session logs a warning for each widget.
    for name in ("scriptrunner_utils.script_run_context", "state.session_state_proxy"):
        logging.getLogger(f"streamlit.runtime.{name}").setLevel(logging.ERROR)
    # Each part of a chart would be validated against Vega-Lite's schema, which the tests do.
    schemapi.disable_debug_mode()
    queries.preload_production()
    pages = {entry.name: entry.render for entry in navigation.PAGES}
    navigation.register_pages()
    _run_for(
        lambda: _prerender(pages["overview"], pages["predict"]), name=_PRERENDER_THREAD, timeout_s=_PRERENDER_TIMEOUT_S
    )
    _run_for(queries.preload_slow_queries, name=_PRELOAD_THREAD, timeout_s=_PRELOAD_TIMEOUT_S)
    # What is loaded stays: a garbage collection that visits it again stops every session for 0.1 s.
    gc.collect()
    gc.freeze()


def _run_for(work: Callable[[], None], *, name: str, timeout_s: float) -> None:
    """Run work in a thread and wait for it at most so long; it goes on after that."""
    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    thread.join(timeout_s)


def _prerender(*pages: Callable[[], None]) -> None:
    """Render pages without a session: the first rendering imports modules and compiles queries."""
    for render in pages:
        render()


@asynccontextmanager
async def lifespan(_: object) -> AsyncIterator[None]:
    """Preload when the server starts."""
    await asyncio.to_thread(_preload)
    yield
