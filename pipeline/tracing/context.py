"""Hold the current trace in a context variable."""

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
    """A trace and its current span.

    Parameters
    ----------
    trace_id : str
        32 hexadecimal digits.
    span : Span or None
        None for a trace of the caller that is not recorded here.
    tracing : Tracing or None
    attributes : dict
        Attributes for the span, collected until it ends.
    """

    trace_id: str
    span: Any = None
    tracing: Any = None
    attributes: dict[str, Any] = field(default_factory=dict)


_CURRENT_TRACE: ContextVar[Trace | None] = ContextVar("mlops_trace", default=None)


def current_trace() -> Trace | None:
    """Return the current trace, or None."""
    return _CURRENT_TRACE.get()


def current_trace_id() -> str | None:
    """Return the id of the current trace, 32 hexadecimal digits; None if no trace is recorded."""
    trace = _CURRENT_TRACE.get()
    return trace.trace_id if trace is not None and trace.span is not None else None


@contextmanager
def use_trace(trace: Trace) -> Iterator[Trace]:
    """Make `trace` the current trace within a `with` block."""
    token = _CURRENT_TRACE.set(trace)
    try:
        yield trace
    finally:
        _CURRENT_TRACE.reset(token)
