"""Large work runs in a thread, small work in the event loop."""

from __future__ import annotations

import asyncio
import threading

import pytest

from pipeline.serving.concurrency import run_in_thread_if_large


@pytest.mark.parametrize(("size", "is_in_loop"), [(0, True), (65_536, True), (65_537, False), (32_000_000, False)])
def test_only_large_bodies_are_parsed_in_another_thread(size: int, is_in_loop: bool) -> None:
    thread = asyncio.run(run_in_thread_if_large(size, threading.get_ident))
    assert (thread == threading.get_ident()) is is_in_loop


@pytest.mark.parametrize("size", [1, 1_000_000])
def test_an_error_reaches_the_caller(size: int) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        asyncio.run(run_in_thread_if_large(size, int, "x"))
