"""Bodies and identifiers of events, plain and as CloudEvents."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

import pytest

from pipeline.serving.serving_errors import InvalidRequest
from pipeline.streaming.event_values import EventReader, prediction_headers
from tests.pipeline.streaming.stream_events import BODY, new_event

if TYPE_CHECKING:
    from pipeline.streaming.kafka_client import Event, Headers

BINARY: Headers = (("ce_id", b"7"), ("ce_source", b"shop"), ("ce_type", b"order"), ("ce_specversion", b"1.0"))
ATTRIBUTES = {"specversion": "1.0", "id": "7", "source": "shop", "type": "order"}
STRUCTURED: Headers = (("content-type", b"application/cloudevents+json; charset=utf-8"),)


def structured(**changes: object) -> bytes:
    values = {**ATTRIBUTES, "data": json.loads(BODY), **changes}
    return json.dumps({name: value for name, value in values.items() if value is not None}).encode()


def test_a_plain_event_is_the_body_of_a_request() -> None:
    assert EventReader("json", None).read(new_event()) == (BODY, None, None)


def test_a_plain_event_has_the_identifier_of_the_named_header() -> None:
    assert EventReader("json", "order").read(new_event(headers=(("order", b"A1"),))).event_id == "A1"


@pytest.mark.parametrize("headers", [(), (("order", b""),), (("order", b"x" * 201),)])
def test_an_event_without_its_identifier_is_refused(headers: Headers) -> None:
    with pytest.raises(InvalidRequest, match=r"order: the header is missing or empty"):
        EventReader("json", "order").read(new_event(headers=headers))


@pytest.mark.parametrize("value", [None, b""])
def test_an_event_without_a_value_is_refused(value: bytes | None) -> None:
    with pytest.raises(InvalidRequest, match="the event has no value"):
        EventReader("json", None).read(new_event(value))


def test_a_binary_cloud_event_has_its_data_as_value() -> None:
    assert EventReader("cloudevents", "ce_id").read(new_event(headers=BINARY)) == (BODY, "7", None)


def test_a_structured_cloud_event_has_its_data_inside() -> None:
    body, event_id, _ = EventReader("cloudevents", "ce_id").read(new_event(structured(), headers=STRUCTURED))
    assert (json.loads(body), event_id) == (json.loads(BODY), "7")


@pytest.mark.parametrize("missing", ["ce_id", "ce_source", "ce_type", "ce_specversion"])
def test_a_binary_event_without_an_attribute_is_refused(missing: str) -> None:
    headers = tuple(header for header in BINARY if header[0] != missing)
    with pytest.raises(InvalidRequest, match=rf"{missing.removeprefix('ce_')}: "):
        EventReader("cloudevents", None).read(new_event(headers=headers))


@pytest.mark.parametrize("value", [b"{", b"[]", structured(id=None), structured(data=None), b'{"id": "\xff"}'])
def test_a_value_that_is_no_cloud_event_is_refused(value: bytes) -> None:
    with pytest.raises(InvalidRequest, match="the value is no CloudEvent"):
        EventReader("cloudevents", None).read(new_event(value, headers=STRUCTURED))


def test_a_structured_event_of_another_version_is_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"specversion: expected a CloudEvent of version 1\.0"):
        EventReader("cloudevents", None).read(new_event(structured(specversion="0.3"), headers=STRUCTURED))


def test_a_prediction_names_the_position_of_its_event() -> None:
    assert prediction_headers(new_event(offset=12), "id", is_cloud_event=False) == (("source", b"events/0/12"),)


def test_a_prediction_of_a_cloud_event_is_one_itself() -> None:
    headers = prediction_headers(new_event(offset=12), "id", is_cloud_event=True)
    EventReader("cloudevents", None).read(new_event(headers=headers))
    assert dict(headers)["ce_id"] == b"id"


@pytest.mark.parametrize(
    ("format_name", "event"),
    [
        ("json", new_event(headers=(("subject", b"person-1"),))),
        ("cloudevents", new_event(headers=(*BINARY, ("ce_subject", b"person-1")))),
        ("cloudevents", new_event(structured(subject="person-1"), headers=STRUCTURED)),
    ],
)
def test_an_event_names_whom_its_row_is_about(format_name: Literal["json", "cloudevents"], event: Event) -> None:
    assert EventReader(format_name, None).read(event).subject == "person-1"


@pytest.mark.parametrize("subject", [b"", b"x" * 201, b"\xff", b"a\nb"])
def test_a_subject_that_is_no_word_is_refused(subject: bytes) -> None:
    with pytest.raises(InvalidRequest, match=r"subject: expected 1 to \d+ printable ASCII characters"):
        EventReader("json", None).read(new_event(headers=(("subject", subject),)))
