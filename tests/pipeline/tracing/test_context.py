from __future__ import annotations

import asyncio

import pytest

from pipeline.tracing.context import Trace, current_trace, current_trace_id, use_trace


def test_a_trace_is_current_within_its_block_only() -> None:
    outer, inner = Trace("a" * 32, span=object()), Trace("b" * 32, span=object())
    assert current_trace() is None
    with use_trace(outer):
        with use_trace(inner):
            assert current_trace_id() == "b" * 32
        assert current_trace() is outer
    assert current_trace() is None


def test_an_error_restores_the_previous_trace() -> None:
    with pytest.raises(ValueError, match="a fault"), use_trace(Trace("a" * 32)):
        raise ValueError("a fault")
    assert current_trace() is None


def test_a_trace_that_is_not_recorded_has_no_id_here() -> None:
    with use_trace(Trace("a" * 32)):
        assert current_trace_id() is None


def test_concurrent_tasks_have_their_own_trace() -> None:
    async def trace_id(name: str) -> str | None:
        with use_trace(Trace(name * 32, span=object())):
            await asyncio.sleep(0)
            return current_trace_id()

    async def both() -> list[str | None]:
        return await asyncio.gather(trace_id("a"), trace_id("b"))

    assert asyncio.run(both()) == ["a" * 32, "b" * 32]
