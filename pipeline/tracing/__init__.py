"""Export traces of requests, stages and monitor runs to an OpenTelemetry collector.

OpenTelemetry is imported only if the environment enables it; the extra `otel` must be installed then.
"""

from pipeline.tracing.context import Trace, current_trace, current_trace_id, use_trace
from pipeline.tracing.spans import Tracing, child_span, open_tracing, root_span

__all__ = [
    "Trace",
    "Tracing",
    "child_span",
    "current_trace",
    "current_trace_id",
    "open_tracing",
    "root_span",
    "use_trace",
]
