"""Know the trace that the present work belongs to."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Trace", "current_trace", "current_trace_id", "use_trace"]


@dataclass(slots=True, eq=False)
class Trace:
    """One trace, as the work that belongs to it sees it.

    `tracing` and `span` are None where the caller's trace is known and not recorded; `told` gathers what is learned
    on the way (the operation, the status, moments) until the span ends.
    """

    trace_id: str
    span: Any = None
    tracing: Any = None
    attributes: dict[str, Any] = field(default_factory=dict)


_CURRENT_TRACE: ContextVar[Trace | None] = ContextVar("mlops_trace", default=None)


def current_trace() -> Trace | None:
    """Return the trace of the present work; None where there is none."""
    return _CURRENT_TRACE.get()


def current_trace_id() -> str | None:
    """Return the id of the trace that the present work is recorded in, as 32 digits; None where it is not."""
    trace = _CURRENT_TRACE.get()
    return trace.trace_id if trace is not None and trace.span is not None else None


@contextmanager
def use_trace(trace: Trace) -> Iterator[Trace]:
    """Do what follows as part of a trace."""
    token = _CURRENT_TRACE.set(trace)
    try:
        yield trace
    finally:
        _CURRENT_TRACE.reset(token)
