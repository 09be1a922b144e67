"""Say where the time of a request, a stage or a run of the monitor went, to a collector of OpenTelemetry.

Nothing of OpenTelemetry is imported unless the environment asks for it; then the extra `otel` must be installed.
"""

from pipeline.tracing.current import Trace, current, current_id, named
from pipeline.tracing.spans import Tracing, open_tracing, step, traced

__all__ = ["Trace", "Tracing", "current", "current_id", "named", "open_tracing", "step", "traced"]
