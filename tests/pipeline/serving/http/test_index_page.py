"""The page at `/` names the model of the server, and its links lead to pages that exist."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.serving.http.index_page import prefers_html, render_index_page
from tests.fixtures.server_process import MODEL_NAME

if TYPE_CHECKING:
    import httpx

pytestmark = pytest.mark.xdist_group("serving")

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "is_html"),
    [
        (BROWSER, True),
        ("TEXT/HTML", True),
        ("text/html;q=0.5, application/json;q=0.5", True),
        ("", False),
        ("*/*", False),
        ("application/json, text/html;q=0.9", False),
        ("text/html;q=0", False),
        ("text/html;q=much", False),
        ("text/htmlx", False),
    ],
)
def test_a_browser_gets_html_and_a_program_gets_json(accept: str, is_html: bool) -> None:
    assert prefers_html(accept) is is_html


def example_index(**changed: Any) -> dict[str, Any]:
    return {
        "service": "s",
        "release": "1",
        "name": "m",
        "stage": "Production",
        "ready": False,
        "reason": "no version is in Production",
        "model": None,
        "deployed_at": None,
        "links": {"health": "/health"},
    } | changed


def test_the_page_of_a_server_without_a_model_has_the_reason() -> None:
    assert "not ready: no version is in Production" in render_index_page(example_index()).decode()


@pytest.mark.parametrize("key", ["name", "reason", "stage", "release"])
def test_a_value_is_escaped(key: str) -> None:
    text = render_index_page(example_index(**{key: "<script>alert('1')</script>"})).decode()
    assert "<script>" not in text
    assert "&lt;script&gt;" in text


def test_an_address_cannot_leave_its_attribute() -> None:
    text = render_index_page(example_index(links={"dashboard": 'http://x" onclick="y'})).decode()
    assert 'href="http://x&quot; onclick=&quot;y"' in text


def test_the_index_names_the_model_and_the_moment_of_its_deployment(client: httpx.Client) -> None:
    index = client.get("/").json()
    assert (index["name"], index["stage"], index["ready"], index["reason"]) == (MODEL_NAME, "Production", True, None)
    assert index["model"] == {key: client.get("/health").json()[key] for key in index["model"]}
    assert timedelta() < datetime.now(UTC) - datetime.fromisoformat(index["deployed_at"]) < timedelta(hours=1)


def test_each_link_leads_to_a_page(client: httpx.Client) -> None:
    links = client.get("/").json()["links"]
    assert {"docs", "health", "ready", "status", "metrics", "openapi"} == set(links)
    assert {client.get(address).status_code for address in links.values()} == {200}


def test_the_page_has_the_links_and_loads_nothing(client: httpx.Client) -> None:
    response = client.get("/", headers={"Accept": BROWSER})
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert response.headers["vary"] == "accept"
    assert re.findall(r'<a href="([^"]+)"', response.text) == list(client.get("/").json()["links"].values())
    assert re.findall(r"<script|src=|<link|@import|url\(", response.text) == []


def test_an_unknown_path_names_the_index(client: httpx.Client) -> None:
    assert "GET / has links" in client.get("/nowhere").json()["detail"]
