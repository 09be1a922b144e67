"""Large work leaves the event loop free; small work is done where it stands."""

from __future__ import annotations

import asyncio
import threading

import pytest

from pipeline.serving.concurrency import run_in_thread_if_large


@pytest.mark.parametrize(("size", "is_here"), [(0, True), (65_536, True), (65_537, False), (32_000_000, False)])
def test_only_large_bodies_are_read_in_another_thread(size: int, is_here: bool) -> None:
    thread = asyncio.run(run_in_thread_if_large(size, threading.get_ident))
    assert (thread == threading.get_ident()) is is_here


@pytest.mark.parametrize("size", [1, 1_000_000])
def test_what_is_raised_arrives(size: int) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        asyncio.run(run_in_thread_if_large(size, int, "x"))
