"""The demo of a session: its pages show `state/demo`, a copy of the project with simulated traffic."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import streamlit as st

from pipeline.production_status import API_URL_ENV
from pipeline.project import paths
from pipeline.project.root import find_project_root
from pipeline.state import STATE_URL_ENV

__all__ = ["DEMO_PARAMETERS", "enter", "follow_address", "has_demo", "is_available", "is_demo", "leave", "project_root"]

_SESSION_KEY = "is_demo"
_PARAMETER = "demo"
DEMO_PARAMETERS = {_PARAMETER: "1"}


def project_root() -> Path:
    """Return the folder of the project, or of its demo if this session shows it."""
    root = _own_root()
    return root / paths.DEMO if is_demo() and has_demo() else root


def is_available() -> bool:
    """Return whether this app has the project's own database file and engine; other ones would serve a demo too."""
    return not (os.environ.get(STATE_URL_ENV) or os.environ.get(API_URL_ENV))


def has_demo() -> bool:
    """Return whether the project has a demo that this app can show."""
    return is_available() and (_own_root() / paths.DEMO / paths.PARAMS).exists()


def _own_root() -> Path:
    return _cached_root(Path.cwd(), os.environ.get("DVC_ROOT"))


@functools.lru_cache(maxsize=16)  # each page asks thirty times
def _cached_root(folder: Path, workspace: str | None) -> Path:  # noqa: ARG001 - both decide what is found
    return find_project_root().resolve()


def is_demo() -> bool:
    """Return whether this session shows the demo."""
    return bool(st.session_state.get(_SESSION_KEY))


def follow_address() -> None:
    """Enter the demo that the address names; keep it in the address of each page."""
    if st.query_params.get(_PARAMETER) == DEMO_PARAMETERS[_PARAMETER]:
        st.session_state[_SESSION_KEY] = True
    if is_demo() and not has_demo():
        leave()
    if is_demo():
        st.query_params[_PARAMETER] = DEMO_PARAMETERS[_PARAMETER]


def enter() -> None:
    """Show the demo in this session."""
    st.session_state[_SESSION_KEY] = True


def leave() -> None:
    """Show the project again."""
    st.session_state.pop(_SESSION_KEY, None)
    st.query_params.pop(_PARAMETER, None)
