from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pipeline.serving.http.application import ServerStatus
from pipeline.serving.http.engine_responses import readiness_response, require_model, to_json
from pipeline.serving.serving_errors import NotReady
from tests.fixtures.registered_project import make_engine

if TYPE_CHECKING:
    from pathlib import Path


def test_an_engine_that_is_not_ready_gets_503_with_the_reason(tmp_path: Path) -> None:
    response = readiness_response(make_engine(tmp_path), ServerStatus(), {"name": "m"})
    assert (response.status, response.headers) == (503, [(b"retry-after", b"2")])
    assert json.loads(response.body) == {
        "status": "unavailable",
        "ready": False,
        "name": "m",
        "reason": "the engine was not started",
    }


def test_a_server_that_stops_gives_that_as_the_reason(tmp_path: Path) -> None:
    response = readiness_response(make_engine(tmp_path), ServerStatus(is_draining=True), {})
    assert json.loads(response.body)["reason"] == "the server is stopping"


def test_a_missing_model_is_an_error_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(NotReady, match="the engine was not started") as caught:
        require_model(make_engine(tmp_path))
    assert caught.value.retry_after_s == 2


def test_json_is_compact_and_in_utf_8() -> None:
    assert to_json({"a": ["é", 1.0, None]}) == '{"a":["é",1.0,null]}'.encode()
