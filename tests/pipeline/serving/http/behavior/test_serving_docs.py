"""The tables of docs/reference/serving.md equal the routes, problem types and settings."""

from __future__ import annotations

import re

import pytest

from pipeline.serving.http import problems
from pipeline.serving.http.endpoints import Endpoints
from pipeline.serving.http.router import declared_routes
from tests.fixtures.toy_dataset import ROOT, settings

SERVING_DOCS = (ROOT / "docs/reference/serving.md").read_text(encoding="utf-8")


def test_the_table_of_refusals_has_every_kind_with_its_status() -> None:
    rows = re.findall(r"^\| (\d{3}) \| ([^|]+) \|", SERVING_DOCS, flags=re.MULTILINE)
    documented = {kind: int(status) for status, words in rows for kind in re.findall(r"`([a-z-]+)`", words)}
    assert documented == {kind: int(status) for kind, (status, _) in problems.problem_types().items()}


def test_the_table_of_endpoints_is_generated_from_the_routes() -> None:
    rows = [
        f"| `{route.method} {route.path}` | {route.role} | {route.summary} |" for route in declared_routes(Endpoints)
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
