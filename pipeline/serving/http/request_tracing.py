"""Spans of requests: from the head to the answer, and in between the wait, the model, and the commit of the log.

Stands in front of the application where traces are asked for, and nowhere else.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.serving.http.request_metrics import RequestMetrics
from pipeline.tracing import Trace, current_trace, use_trace
from pipeline.tracing.sampling import parse_traceparent

if TYPE_CHECKING:
    from collections.abc import Awaitable, MutableMapping, Sequence

    from pipeline.serving.batch_predictor import PendingRequest
    from pipeline.serving.http.application import Application
    from pipeline.serving.http.messages import Receive, Send
    from pipeline.tracing import Tracing
    from pipeline.tracing.sampling import TraceParent

__all__ = ["CommitTracer", "TracedApplication", "TracedRequestMetrics", "add_trace_ids"]


@dataclass(slots=True)
class TracedApplication:
    """The application, with spans of those requests that the caller or chance picks."""

    application: Application
    tracing: Tracing

    def __call__(self, scope: Any, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer one request."""
        parent: TraceParent | None = None
        for name, value in scope.get("headers", ()):
            if name == b"traceparent":
                parent = parse_traceparent(value.decode("latin-1"))
                break
        if self.tracing.sampler.should_sample(parent):
            return self._call_with_span(parent, scope, receive, send)
        if parent is not None:
            return self._call_with_trace(Trace(parent.trace_id), scope, receive, send)
        return self.application(scope, receive, send)

    async def _call_with_trace(self, trace: Trace, scope: Any, receive: Receive, send: Send) -> None:
        with use_trace(trace):
            await self.application(scope, receive, send)

    async def _call_with_span(self, parent: TraceParent | None, scope: Any, receive: Receive, send: Send) -> None:
        trace = self.tracing.start_trace(scope["method"], parent, is_server=True)
        with use_trace(trace):
            await self.application(scope, receive, send)
        ended_ns = time.time_ns()
        span, told = trace.span, trace.attributes
        for name, began, ended, n_rows in told.pop("steps", ()):
            self.tracing.add_span(trace, name, began, ended, **{"mlops.rows": n_rows})
        operation, status = told.get("operation", "unmatched"), told.get("status", 0)
        span.update_name(f"{scope['method']} {operation}")
        span.set_attributes(
            {"http.request.method": scope["method"], "http.response.status_code": status, "mlops.operation": operation}
        )
        if status >= 500:
            self.tracing.set_error(trace, f"status {status}")
        span.end(ended_ns)


class TracedRequestMetrics(RequestMetrics):
    """The figures of requests, which a span wants to know too."""

    __slots__ = ()

    def observe(self, operation: str, status: int, seconds: float) -> None:
        """Count one answered request, and say to its trace what it was."""
        RequestMetrics.observe(self, operation, status, seconds)
        trace = current_trace()
        if trace is not None:
            trace.attributes.update(operation=operation, status=status)


@dataclass(slots=True)
class CommitTracer:
    """Is told by the writer of the log which requests it took and when their rows were on the disk."""

    _traces: dict[int, tuple[Trace, int]] = field(default_factory=dict)

    def submitted(self, request: PendingRequest) -> None:
        """Take note of a request that is handed to the writer; called on the event loop."""
        trace = current_trace()
        if trace is not None and trace.span is not None:
            self._traces[id(request)] = (trace, time.time_ns())
            request.future.add_done_callback(lambda _: self._traces.pop(id(request), None))

    def committed(
        self, requests: Sequence[PendingRequest], began_s: float, scored_s: float, committed_s: float
    ) -> None:
        """Take note of a group that is on the disk; moments are those of `time.perf_counter`."""
        if not self._traces:
            return
        offset = time.time_ns() - time.perf_counter_ns()
        began, scored, committed = (offset + int(one * 1e9) for one in (began_s, scored_s, committed_s))
        n_group = sum(len(work.rows.rows) for work in requests)
        for work in requests:
            trace, submitted = self._traces.get(id(work), (None, 0))
            if trace is not None:
                n_rows = len(work.rows.rows)
                trace.attributes["steps"] = (
                    ("wait for the writer", min(submitted, began), began, n_rows),
                    ("predict", began, scored, n_group),
                    ("commit to the log", scored, committed, n_group),
                )


def add_trace_ids(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add the ids of trace and span to a line of the log."""
    trace = current_trace()
    if trace is not None:
        event["trace_id"] = trace.trace_id
        if trace.span is not None:
            event["span_id"] = f"{trace.span.get_span_context().span_id:016x}"
    return event
