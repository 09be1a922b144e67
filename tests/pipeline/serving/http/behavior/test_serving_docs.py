"""The tables of docs/reference/serving.md equal the routes, problem types and settings."""

from __future__ import annotations

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipeline.serving.histogram import Histogram
from pipeline.serving.http import problems
from pipeline.serving.http.endpoints import ENDPOINT_CLASSES
from pipeline.serving.http.monitor_metrics import MonitorSnapshot, monitor_gauges
from pipeline.serving.http.router import declared_routes
from pipeline.serving.http.server_metrics import RequestMetrics
from pipeline.state import MonitorRun
from tests.fixtures.toy_dataset import ROOT, settings

SERVING_DOCS = (ROOT / "docs/reference/serving.md").read_text(encoding="utf-8")


def test_the_table_of_refusals_has_every_kind_with_its_status() -> None:
    rows = re.findall(r"^\| (\d{3}) \| ([^|]+) \|", SERVING_DOCS, flags=re.MULTILINE)
    documented = {kind: int(status) for status, words in rows for kind in re.findall(r"`([a-z-]+)`", words)}
    assert documented == {kind: int(status) for kind, (status, _) in problems.problem_types().items()}


def test_the_table_of_endpoints_is_generated_from_the_routes() -> None:
    rows = [
        f"| `{route.method} {route.path}` | {route.role} | {route.summary} |"
        for route in declared_routes(*ENDPOINT_CLASSES)
    ]
    table = "\n".join(["| endpoint | role | summary |", "|---|---|---|", *rows, ""])
    assert table in SERVING_DOCS, f"replace the table of endpoints in docs/reference/serving.md by:\n{table}"


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("max_body_mb", "| body | {} MB, 10,000 rows |"),
        ("header_timeout_s", "{} s, 9 s, 9 s; slower connections are closed"),
        ("max_concurrent_requests", "{} requests, 64 MB of bodies"),
        ("max_connections", "| {:,}; above it only probes"),
        ("keep_alive_timeout_s", "| idle connection | {} s |"),
    ],
)
def test_the_table_of_limits_has_the_defaults(key: str, text: str) -> None:
    assert text.format(getattr(settings().serving.limits, key)) in SERVING_DOCS


def exported_metrics() -> list[tuple[str, str, str]]:
    """Return name, type and help of each metric of a server that has a model, and a monitor run."""
    histogram = Histogram((1.0,)).as_dict()
    log = {
        "n_logged": 1,
        "n_unlogged": 0,
        "n_opted_out": 0,
        "n_failures": 0,
        "is_failing": False,
        "commit_duration_s": histogram,
    }
    counts = {"n_errors": 0, "duration_s": histogram}
    trial = {"id": 1, "share": 0.05, "stop_reason": None, "variants": {"champion": counts, "challenger": counts}}
    status = {
        "model": "m", "active": {"version": 1, "generation": 1}, "is_ready": True, "queue_rows": 0,
        "by_class": {"champion": {"yes": 1}}, "confidence": histogram, "log": log, "trial": trial,
    }  # fmt: skip
    summary = {"n_rows": 1, "n_outcomes": 1, "columns": [], "metrics": {}}
    run = MonitorRun("m", 1, 3, 1, 2, "ok", "", summary)
    families = monitor_gauges(MonitorSnapshot(run, {"warning": 0}, n_pending_notifications=0))
    gauges = {"http_connections": 1.0, "http_draining": 0.0, "http_requests_in_flight": 0.0}
    metrics = RequestMetrics()
    metrics.observe("predict", 200, 0.1)
    text = metrics.to_prometheus(gauges, 0, status, families).body.decode()
    return [
        (f"{family.name}_total" if family.type == "counter" else family.name, family.type, family.documentation)
        for family in text_string_to_metric_families(text)
        if family.name.startswith("mlops_")
    ]


def test_the_table_of_metrics_is_generated_from_the_help_texts() -> None:
    rows = [f"| `{name}` | {kind} | {help_text} |" for name, kind, help_text in sorted(exported_metrics())]
    table = "\n".join(["| metric | type | meaning |", "|---|---|---|", *rows, ""])
    assert table in SERVING_DOCS, f"replace the table of metrics in docs/reference/serving.md by:\n{table}"


def test_each_help_text_is_one_sentence() -> None:
    assert [name for name, _, help_text in exported_metrics() if not re.fullmatch(r"[A-Z1].*[^.]\.", help_text)] == []
