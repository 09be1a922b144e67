"""Record a span for each sampled request, with child spans for its wait, its prediction and its commit.

The server uses these classes only where tracing is enabled.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.serving.http.server_metrics import RequestMetrics, TracedDuration
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
    """The application, with a span for each request that its caller or the sampler selects."""

    application: Application
    tracing: Tracing

    def __call__(self, scope: Any, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one request."""
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
        try:
            with use_trace(trace):
                await self.application(scope, receive, send)
        finally:
            self._end_span(trace, scope["method"], time.time_ns())

    def _end_span(self, trace: Trace, method: str, ended_ns: int) -> None:
        span, attributes = trace.span, trace.attributes
        for name, step_started_ns, step_ended_ns, n_rows in attributes.pop("steps", ()):
            self.tracing.add_span(trace, name, step_started_ns, step_ended_ns, **{"mlops.rows": n_rows})
        operation, status = attributes.get("operation", "unmatched"), attributes.get("status", 0)
        span.update_name(f"{method} {operation}")
        span.set_attributes(
            {"http.request.method": method, "http.response.status_code": status, "mlops.operation": operation}
        )
        if status >= 500:
            self.tracing.set_error(trace, f"status {status}")
        span.end(ended_ns)


class TracedRequestMetrics(RequestMetrics):
    """Request metrics that are copied to the current trace, and name traces as exemplars."""

    __slots__ = ()

    def observe(self, operation: str, status: int, duration_s: float) -> None:
        """Count one request, add its operation and status to its trace, and remember the trace if it is recorded."""
        RequestMetrics.observe(self, operation, status, duration_s)
        trace = current_trace()
        if trace is not None:
            trace.attributes.update(operation=operation, status=status)
            if trace.span is not None:
                bound = self.durations_s[operation].bucket_of(duration_s)
                traced = TracedDuration(trace.trace_id, duration_s, time.time())
                self.traced_durations.setdefault(operation, {})[bound] = traced


@dataclass(slots=True)
class CommitTracer:
    """Observes the prediction worker, and adds the steps of each batch to the traces of its requests."""

    _traces: dict[int, tuple[Trace, int]] = field(default_factory=dict)

    def on_submit(self, request: PendingRequest) -> None:
        """Remember the trace of a submitted request; called on the event loop."""
        trace = current_trace()
        if trace is not None and trace.span is not None:
            self._traces[id(request)] = (trace, time.time_ns())
            request.future.add_done_callback(lambda _: self._traces.pop(id(request), None))

    def on_commit(
        self, requests: Sequence[PendingRequest], began_s: float, scored_s: float, committed_s: float
    ) -> None:
        """Add the steps of a committed batch to its traces; times are those of `time.perf_counter`."""
        if not self._traces:
            return
        offset = time.time_ns() - time.perf_counter_ns()
        began, scored, committed = (offset + int(time_s * 1e9) for time_s in (began_s, scored_s, committed_s))
        n_batch_rows = sum(len(request.rows.rows) for request in requests)
        for request in requests:
            trace, submitted = self._traces.get(id(request), (None, 0))
            if trace is not None:
                n_rows = len(request.rows.rows)
                trace.attributes["steps"] = (
                    ("wait for the worker", min(submitted, began), began, n_rows),
                    ("predict", began, scored, n_batch_rows),
                    ("commit to the log", scored, committed, n_batch_rows),
                )


def add_trace_ids(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add the ids of trace and span to a log line."""
    trace = current_trace()
    if trace is not None:
        event["trace_id"] = trace.trace_id
        if trace.span is not None:
            event["span_id"] = f"{trace.span.get_span_context().span_id:016x}"
    return event
