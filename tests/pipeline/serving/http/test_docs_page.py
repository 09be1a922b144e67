from __future__ import annotations

import re

from pipeline.serving.http.docs_page import render_docs_page
from pipeline.serving.http.endpoints import ENDPOINT_CLASSES
from pipeline.serving.http.openapi import openapi_document
from pipeline.serving.http.router import declared_routes
from tests.fixtures.toy_dataset import schema


def page(title: str = "m") -> str:
    document = openapi_document(
        declared_routes(*ENDPOINT_CLASSES), schema(), title=title, version="1.0", path_values={}
    )
    return render_docs_page(document).decode()


def test_each_route_is_on_the_page_with_its_role() -> None:
    text = page()
    for route in declared_routes(*ENDPOINT_CLASSES):
        assert f"<code>{route.path}</code>" in text
        assert f"role: {route.role}" in text


def test_the_page_loads_nothing_and_runs_no_script() -> None:
    text = page()
    assert "<script" not in text
    assert re.findall(r"(?:src|href)=['\"]?(?:https?:)?//", text) == []


def test_a_link_to_a_schema_has_its_target() -> None:
    text = page()
    assert set(re.findall(r"href='#(\w+)'", text)) <= set(re.findall(r"<h3 id='(\w+)'", text))


def test_values_are_escaped() -> None:
    text = page("<script>alert(1)</script>")
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
