"""An address shows the line of a file of conf/, and no other file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.app.conftest import app_page, text_of

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("app")


def test_an_address_shows_the_line_of_a_file(empty: Path) -> None:
    at = app_page("configuration")
    at.query_params.update({"show": "overridden", "file": "conf/training/default.yaml", "line": "2"})
    at.run()
    marked = [html.proto.body for html in at.get("html") if 'class="marked">    2  folds: ' in html.proto.body]
    assert len(marked) == 1
    assert "conf/training/default.yaml" in text_of(at).replace("\\", "")
    assert empty.is_dir()


def test_a_file_outside_of_the_settings_is_not_shown(empty: Path) -> None:
    (empty / "secrets.yaml").write_text("key: hidden", encoding="utf-8")
    at = app_page("configuration")
    at.query_params.update({"show": "overridden", "file": "secrets.yaml"})
    at.run()
    assert all("hidden" not in html.proto.body for html in at.get("html"))
