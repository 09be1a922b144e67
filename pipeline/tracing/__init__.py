"""Say where the time of a request, a stage or a run of the monitor went, to a collector of OpenTelemetry.

Nothing of OpenTelemetry is imported unless the environment asks for it; then the extra `otel` must be installed.
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
