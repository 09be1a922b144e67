"""Spans of stages and of the monitor: their parents, their errors, and their export."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from pipeline.errors import ConfigError, DataError
from pipeline.project import paths
from pipeline.tracing import child_span, current_trace_id, open_tracing, root_span, use_trace
from pipeline.tracing.sampling import TraceParent, TraceSampler
from pipeline.tracing.spans import tracing_with_exporter
from pipeline.tracking import ExperimentTracker
from pipeline.tracking.active_run import TrackingWarning
from pipeline.tracking.run_outbox import PendingRun
from tests.pipeline.tracing.otlp_collector import run_collector

if TYPE_CHECKING:
    from pathlib import Path

PARENT = TraceParent("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", is_sampled=True)
HEADER = f"00-{PARENT.trace_id}-{PARENT.span_id}-01"


def test_child_spans_have_the_enclosing_span_as_parent() -> None:
    exporter = InMemorySpanExporter()
    tracing = tracing_with_exporter(exporter, TraceSampler(1.0), {}, "tried")
    trace = tracing.start_trace("the whole", PARENT)
    with use_trace(trace), child_span("one", rows=3), child_span("inner"):
        assert current_trace_id() == PARENT.trace_id
    trace.span.end()
    tracing.close()
    spans = {span.name: span for span in exporter.get_finished_spans()}
    ids = {f"{span.context.span_id:016x}": name for name, span in spans.items()} | {PARENT.span_id: "caller"}
    parents = {name: ids[f"{span.parent.span_id:016x}"] for name, span in spans.items()}
    assert parents == {"the whole": "caller", "one": "the whole", "inner": "one"}
    assert {f"{span.context.trace_id:032x}" for span in spans.values()} == {PARENT.trace_id}
    assert dict(spans["one"].attributes or {}) == {"rows": 3}
    assert spans["one"].resource.attributes["service.name"] == "tried"


def test_a_failed_span_records_the_error_type_without_the_message() -> None:
    exporter = InMemorySpanExporter()
    tracing = tracing_with_exporter(exporter, TraceSampler(1.0), {}, "tried")
    trace = tracing.start_trace("the whole")
    with pytest.raises(DataError, match="a value of a person"), use_trace(trace), child_span("one"):
        raise DataError("a value of a person")
    trace.span.end()
    tracing.close()
    failed = exporter.get_finished_spans()[0]
    assert (failed.status.is_ok, failed.status.description) == (False, "DataError")
    assert "person" not in failed.to_json()


def test_a_child_span_without_a_trace_records_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    monkeypatch.delenv("OTEL_TRACES_EXPORTER", raising=False)
    with root_span("nothing") as trace, child_span("one"):
        assert (trace, current_trace_id()) == (None, None)


@pytest.mark.usefixtures("starts_processes")
def test_opentelemetry_is_not_imported_while_tracing_is_off() -> None:
    code = (
        "import sys, pipeline.config.stage_entry, pipeline.serving.http.service\n"
        "from pipeline.tracing import root_span\n"
        "with root_span('nothing'): pass\n"
        "print([one for one in sys.modules if one.startswith('opentelemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("name", "word", "message"),
    [
        ("OTEL_TRACES_EXPORTER", "oltp", "expected one of otlp, console, none; did you mean 'otlp'"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "expected http/protobuf"),
    ],
)
def test_an_unknown_setting_is_refused_with_a_message(name: str, word: str, message: str) -> None:
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", name: word}
    with pytest.raises(ConfigError, match=f"{name} '{word}': {message}"):
        open_tracing(environment, "tried")


@pytest.mark.usefixtures("starts_processes")
def test_a_trace_reaches_the_collector_and_the_run_that_mlflow_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with run_collector(tmp_path / "spans") as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.address)
        monkeypatch.setenv("TRACEPARENT", HEADER)
        tracker = ExperimentTracker("traced", "http://127.0.0.1:1", tmp_path)
        with root_span("stage tried", "mlops-stages"), child_span("one"), pytest.warns(TrackingWarning):
            tracker.start_run("a run").end()
        spans = {span.name: span for span in collector.spans()}
    assert spans["stage tried"].parent_id == PARENT.span_id
    assert spans["one"].parent_id == spans["stage tried"].span_id
    assert {(span.service, span.trace_id) for span in spans.values()} == {("mlops-stages", PARENT.trace_id)}
    [letter] = (tmp_path / paths.RUN_OUTBOX).iterdir()
    assert PendingRun(letter).header().tags["mlops.trace_id"] == PARENT.trace_id


def test_an_unsampled_parent_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("TRACEPARENT", HEADER.removesuffix("01") + "00")
    with root_span("stage tried") as trace:
        assert trace is None


@pytest.mark.usefixtures("heavy_computation")
def test_an_unavailable_collector_delays_work_by_seconds_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.delenv("TRACEPARENT", raising=False)
    began = time.monotonic()
    with root_span("stage tried"):
        pass
    # The bound is a promise to the caller, not a measurement: without it the exporter tries for ten seconds and more.
    assert time.monotonic() - began < 8
