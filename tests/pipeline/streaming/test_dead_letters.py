"""Dead letters: the event unchanged, and the problem without a value."""

from __future__ import annotations

import json
import logging

import pytest  # noqa: TC002 - a fixture

from pipeline.serving.serving_errors import InvalidRequest
from pipeline.streaming.dead_letters import DEAD_LETTER_HEADERS, dead_letter
from tests.pipeline.streaming.stream_events import new_event


def test_the_event_is_unchanged_and_the_headers_say_why() -> None:
    event = new_event(b"\xff", offset=5, key=b"k", headers=(("a", b"1"), ("a", b"2")))
    letter = dead_letter(event, InvalidRequest.for_field("age", "type", "expected a number"), model_digest="d")
    assert letter.event is event
    assert letter.headers[:2] == event.headers
    assert dict(letter.headers)["source"] == b"events/0/5"
    assert dict(letter.headers)["model_digest"] == b"d"
    problem = json.loads(dict(letter.headers)["problem"])
    assert problem["type"] == "urn:mlops:problem:invalid-rows"
    assert problem["request_id"] == "events/0/5"
    assert problem["problems"] == [{"path": "age", "rule": "type", "message": "expected a number"}]


def test_headers_of_an_earlier_dead_letter_are_replaced() -> None:
    first = dead_letter(new_event(), InvalidRequest.for_field("a", "type", "first"), model_digest="d")
    second = dead_letter(
        new_event(headers=first.headers), InvalidRequest.for_field("b", "type", "second"), model_digest="d"
    )
    assert [name for name, _ in second.headers] == list(DEAD_LETTER_HEADERS)
    assert b"second" in dict(second.headers)["problem"]


def test_the_traceback_of_an_internal_error_is_in_the_log_alone(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        letter = dead_letter(new_event(offset=9), ValueError("secret 4711"), model_digest="d")
    assert b"4711" not in dict(letter.headers)["problem"]
    assert "events/0/9" in caplog.text
    assert "4711" in caplog.text
