"""Addresses of pages are relative, so that they work below any path."""

from __future__ import annotations

import pytest

from app.links import page_address


@pytest.mark.parametrize(
    ("page", "parameters", "address"),
    [
        ("overview", {}, "./"),
        ("monitoring", {"version": None, "column": "a b"}, "monitoring?column=a+b"),
        ("history", {"where": ["x>=1", "y=No"]}, "history?where=x%3E%3D1&where=y%3DNo"),
    ],
)
def test_an_address_has_its_choices(page: str, parameters: dict[str, object], address: str) -> None:
    assert page_address(page, **parameters) == address
