"""Traces of a running server: the spans that a collector receives, and the trace ids in the log."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open_metrics

from tests.fixtures.server_process import ROW, make_project, run_server
from tests.pipeline.tracing.otlp_collector import run_collector

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.xdist_group("serving"), pytest.mark.usefixtures("starts_processes")]

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"  # pragma: allowlist secret


def traceparent_header(*, is_sampled: bool, trace: str = TRACE) -> dict[str, str]:
    return {"traceparent": f"00-{trace}-{SPAN}-0{int(is_sampled)}"}


def test_a_request_is_traced_from_its_headers_to_the_commit_of_its_row(package: Path, tmp_path: Path) -> None:
    make_project(tmp_path, [package], "serving.log_requests=all")
    with run_collector(tmp_path / "spans") as collector:
        asks = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.address, "OTEL_TRACES_SAMPLER": "parentbased_always_off"}
        with run_server(tmp_path, **asks) as server, server.client() as client:
            recorded = client.post("/predict", json={"features": ROW}, headers=traceparent_header(is_sampled=True))
            client.post(
                "/predict", json={"features": ROW}, headers=traceparent_header(is_sampled=False, trace="1" * 32)
            )
            client.post("/predict", json={"features": ROW})
            client.post(
                "/predict",
                json={"features": {"no such": 1}},
                headers=traceparent_header(is_sampled=True, trace="2" * 32),
            )
            metrics = client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"}).text
        assert recorded.status_code == 200
        spans = collector.spans()
    of_trace = {span.name: span for span in spans if span.trace_id == TRACE}
    whole = of_trace.pop("POST predict")
    assert (whole.service, whole.parent_id, whole.attributes["http.response.status_code"]) == ("mlops-api", SPAN, 200)
    assert set(of_trace) == {"wait for the worker", "predict", "commit to the log"}
    assert {span.parent_id for span in of_trace.values()} == {whole.span_id}
    assert 0 < sum(span.duration_s for span in of_trace.values()) <= whole.duration_s
    refused = [span for span in spans if span.trace_id == "2" * 32]
    assert [(span.name, span.attributes["http.response.status_code"], span.is_failed) for span in refused] == [
        ("POST predict", 422, False)
    ]
    assert {span.trace_id for span in spans} == {TRACE, "2" * 32}
    exemplars = [sample.exemplar for family in parse_open_metrics(metrics) for sample in family.samples]
    named = {exemplar.labels["trace_id"] for exemplar in exemplars if exemplar is not None}
    assert named <= {TRACE, "2" * 32}, "only a recorded trace is an exemplar"
    assert "2" * 32 in named
    lines = [json.loads(line) for line in (tmp_path / "server.log").read_text(encoding="utf-8").splitlines()]
    ids = [(line.get("trace_id"), line.get("span_id")) for line in lines if line.get("operation") == "predict"]
    assert ids == [(TRACE, whole.span_id), ("1" * 32, None), (None, None), ("2" * 32, refused[0].span_id)]


def test_requests_without_a_parent_are_sampled_at_the_declared_rate(package: Path, tmp_path: Path) -> None:
    make_project(tmp_path, [package], "serving.trace_sample_rate=0.5")
    with run_collector(tmp_path / "spans") as collector:
        asks = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.address}
        with run_server(tmp_path, **asks) as server, server.client() as client:
            for _ in range(400):
                client.get("/livez")
        picked = [span for span in collector.spans() if span.name == "GET live"]
    # Six standard deviations of 400 fair coins.
    assert 140 <= len(picked) <= 260


def test_a_server_without_the_extra_names_the_package_to_install(package: Path, tmp_path: Path) -> None:
    make_project(tmp_path, [package])
    hidden = tmp_path / "hidden"
    (hidden / "opentelemetry").mkdir(parents=True)
    (hidden / "opentelemetry/__init__.py").touch()
    asks = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "PYTHONPATH": str(hidden)}
    with (
        pytest.raises(AssertionError, match=r"exit 7.*not installed.*declarative-mlops\[otel\].*OTEL_SDK_DISABLED"),
        run_server(tmp_path, **asks),
    ):
        pass
