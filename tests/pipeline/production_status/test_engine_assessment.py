"""The engine in the app is healthy since its start, and unknown before it."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.production_status import assess_engine

_READY = {"is_ready": True, "uptime_s": 2.0, "active": {"version": 3}, "reason": ""}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (None, ("unknown", "not_started", None)),
        (_READY, ("healthy", "ready", 8_000_000)),
        ({**_READY, "is_ready": False, "active": None, "reason": "no version"}, ("degraded", "not_ready", None)),
    ],
)
def test_each_state_of_the_engine(status: Any, expected: tuple[str, str, int | None]) -> None:
    component = assess_engine(status, 10_000_000)
    assert (component.state, component.condition, component.since) == expected
