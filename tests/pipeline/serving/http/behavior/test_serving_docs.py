"""The tables of docs/reference/serving.md equal the routes, problem types and settings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from pipeline.serving.http import problems
from tests.fixtures.toy_dataset import ROOT, settings

if TYPE_CHECKING:
    import httpx

pytestmark = pytest.mark.xdist_group("serving")

SERVING_DOCS = (ROOT / "docs/reference/serving.md").read_text(encoding="utf-8")


def test_the_table_of_refusals_has_every_kind_with_its_status() -> None:
    rows = re.findall(r"^\| (\d{3}) \| ([^|]+) \|", SERVING_DOCS, flags=re.MULTILINE)
    documented = {kind: int(status) for status, words in rows for kind in re.findall(r"`([a-z-]+)`", words)}
    assert documented == {kind: int(status) for kind, (status, _) in problems.problem_types().items()}


def test_the_table_of_operations_has_every_path_with_its_role(client: httpx.Client) -> None:
    rows = re.findall(r"^\| (`(?:GET|POST) [^|]+) \| ([a-z, ]+) \|", SERVING_DOCS, flags=re.MULTILINE)
    documented = {path: set(roles.split(", ")) for paths, roles in rows for path in re.findall(r"(/[^`, ]*)`", paths)}
    documented["/v2"] = documented["/v2/..."]
    for path, methods in client.get("/openapi.json").json()["paths"].items():
        known = path if path in documented else "/v2/..."
        assert {one["x-required-role"] for one in methods.values()} <= documented[known], path


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
