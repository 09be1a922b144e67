"""Create spans and export them as the environment configures. The only module that imports OpenTelemetry."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.errors import ConfigError, DependencyUnavailable, did_you_mean
from pipeline.tracing.context import Trace, current_trace, use_trace
from pipeline.tracing.sampling import TraceSampler, is_tracing_enabled, parse_traceparent, sampler_from_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

    from pipeline.tracing.sampling import TraceParent

__all__ = ["Tracing", "child_span", "open_tracing", "root_span", "tracing_with_exporter"]

_EXPORTERS = ("otlp", "console", "none")
_INSTRUMENTATION_SCOPE = "declarative-mlops"
# An unavailable collector delays the end of a stage by at most this time.
_SHUTDOWN_TIMEOUT_S = 3.0


@dataclass(slots=True, eq=False)
class Tracing:
    """Creates spans for the requests and stages that `sampler` has selected."""

    sampler: TraceSampler
    provider: Any
    tracer: Any
    processor: Any

    def start_trace(self, name: str, parent: TraceParent | None = None, *, is_server: bool = False) -> Trace:
        """Start the first span of this process in a trace."""
        from opentelemetry.trace import SpanKind

        kind = SpanKind.SERVER if is_server else SpanKind.INTERNAL
        span = self.tracer.start_span(name, context=_parent_context(parent), kind=kind)
        return Trace(f"{span.get_span_context().trace_id:032x}", span, self)

    def add_span(self, trace: Trace, name: str, started_ns: int, ended_ns: int, **attributes: Any) -> None:
        """Add a child span of a step that has ended; times are nanoseconds since 1970, UTC."""
        from opentelemetry.trace import set_span_in_context

        context = set_span_in_context(trace.span)
        self.tracer.start_span(name, context=context, start_time=started_ns, attributes=attributes).end(ended_ns)

    @contextmanager
    def child_span(self, trace: Trace, name: str, **attributes: Any) -> Iterator[Trace]:
        """Record a `with` block as a child span."""
        from opentelemetry.trace import set_span_in_context

        span = self.tracer.start_span(name, context=set_span_in_context(trace.span), attributes=attributes)
        with use_trace(Trace(trace.trace_id, span, self)) as inner, _end_span(inner):
            yield inner

    def set_error(self, trace: Trace, description: str) -> None:
        """Set the status of the span to error."""
        from opentelemetry.trace import Status, StatusCode

        trace.span.set_status(Status(StatusCode.ERROR, description))

    def close(self) -> None:
        """Export the remaining spans, for at most three seconds."""
        sending = threading.Thread(target=self.processor.shutdown, name="last-spans", daemon=True)
        sending.start()
        sending.join(_SHUTDOWN_TIMEOUT_S)


def open_tracing(environment: Mapping[str, str], service: str, *, sample_rate: float = 1.0) -> Tracing | None:
    """Return the tracing that the environment configures, or None if tracing is off.

    Parameters
    ----------
    environment : mapping
        Environment variables; the standard ones begin with OTEL_.
    service : str
        Name of the service, unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES has one.
    sample_rate : float, from 0 to 1
        Share of the requests without a caller's span that are traced, unless OTEL_TRACES_SAMPLER is set.

    Raises
    ------
    ConfigError
        When a variable has an invalid value.
    DependencyUnavailable
        When the extra `otel` is not installed.
    """
    if not is_tracing_enabled(environment):
        return None
    sampler = sampler_from_environment(environment, sample_rate)
    try:
        return tracing_with_exporter(_create_exporter(environment), sampler, environment, service)
    except ImportError as error:
        raise DependencyUnavailable(
            f"tracing is enabled by OTEL_... variables, and its packages are not installed ({error});"
            " run pip install 'declarative-mlops[otel]', or set OTEL_SDK_DISABLED=true"
        ) from error


def tracing_with_exporter(
    exporter: Any, sampler: TraceSampler, environment: Mapping[str, str], service: str
) -> Tracing:
    """Return the tracing that exports to an exporter of OpenTelemetry."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ALWAYS_ON

    is_named = "OTEL_SERVICE_NAME" in environment or "service.name=" in environment.get("OTEL_RESOURCE_ATTRIBUTES", "")
    resource = Resource.create({} if is_named else {"service.name": service})
    # Our sampler decides before OpenTelemetry is called.
    provider = TracerProvider(sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False)
    processor = BatchSpanProcessor(exporter)
    provider.add_span_processor(processor)
    return Tracing(sampler, provider, provider.get_tracer(_INSTRUMENTATION_SCOPE), processor)


def _create_exporter(environment: Mapping[str, str]) -> Any:
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip() or "otlp"
    if exporter == "console":
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter

        return ConsoleSpanExporter()
    if exporter != "otlp":
        suggestion = did_you_mean(exporter, _EXPORTERS)
        raise ConfigError(f"OTEL_TRACES_EXPORTER {exporter!r}: expected one of {', '.join(_EXPORTERS)}{suggestion}")
    variables = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    name = next((variable for variable in variables if environment.get(variable)), None)
    if name is not None and environment[name] != "http/protobuf":
        raise ConfigError(f"{name} {environment[name]!r}: expected http/protobuf, which collectors accept at port 4318")
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()


def _parent_context(parent: TraceParent | None) -> Any:
    from opentelemetry.context import Context
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

    if parent is None:
        return Context()
    trace_id, span_id = int(parent.trace_id, 16), int(parent.span_id, 16)
    span_context = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(1))
    return set_span_in_context(NonRecordingSpan(span_context), Context())


@contextmanager
def _end_span(trace: Trace) -> Iterator[None]:
    """End the span after a `with` block; of an error it records the type only, since messages may contain values."""
    try:
        yield
    except BaseException as error:
        trace.span.set_attribute("error.type", type(error).__name__)
        trace.tracing.set_error(trace, type(error).__name__)
        raise
    finally:
        trace.span.set_attributes(trace.attributes)
        trace.span.end()


@contextmanager
def root_span(name: str, service: str = "mlops") -> Iterator[Trace | None]:
    """Record a `with` block as a trace, or as part of the trace in TRACEPARENT; yield None if it is not traced.

    Raises
    ------
    ConfigError, DependencyUnavailable
        As `open_tracing` does.
    """
    tracing = open_tracing(os.environ, service)
    parent = None if tracing is None else parse_traceparent(os.environ.get("TRACEPARENT", ""))
    if tracing is None or not tracing.sampler.should_sample(parent):
        yield None
        return
    try:
        with use_trace(tracing.start_trace(name, parent)) as trace, _end_span(trace):
            yield trace
    finally:
        tracing.close()


def child_span(name: str, **attributes: Any) -> AbstractContextManager[Any]:
    """Record a `with` block as a child span of the current trace, if there is one."""
    trace = current_trace()
    if trace is None or trace.tracing is None:
        return nullcontext()
    span: AbstractContextManager[Any] = trace.tracing.child_span(trace, name, **attributes)
    return span
