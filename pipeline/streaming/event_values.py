"""Find the request and the caller's identifier in an event: plain JSON, or a CloudEvent of either mode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from pipeline.serving.log_options import LogOptions
from pipeline.serving.serving_errors import InvalidRequest, MalformedBody

if TYPE_CHECKING:
    from pipeline.streaming.kafka_client import Event, Headers

__all__ = ["EventReader", "EventRequest", "prediction_headers"]

_STRUCTURED_TYPE = b"application/cloudevents+json"
_SPEC_VERSION = "1.0"
_REQUIRED = ("id", "source", "type")
_MAX_ID_BYTES = 200


class _StructuredEvent(msgspec.Struct):
    """A CloudEvent whose value has attributes and data."""

    specversion: str
    id: str
    source: str
    type: str
    data: msgspec.Raw
    subject: str | None = None


class EventRequest(NamedTuple):
    """The body of a request, the identifier that the caller chose (None without `stream.key`), and its subject.

    The subject is whom the row is about, so that the rows of a subject can be erased.
    """

    body: bytes
    event_id: str | None
    subject: str | None = None


class EventReader:
    """Reads events of one format.

    Parameters
    ----------
    format : {'json', 'cloudevents'}
    key : str or None
        Header with the caller's identifier of an event; for CloudEvents `ce_id` is the attribute `id`.
    """

    def __init__(self, format: Literal["json", "cloudevents"], key: str | None) -> None:  # noqa: A002 - the key's name
        self._is_plain = format == "json"
        self._key = key
        self._decoder: Any = msgspec.json.Decoder(_StructuredEvent)

    def read(self, event: Event) -> EventRequest:
        """Return the request of an event.

        Raises
        ------
        InvalidRequest
            When the event has no value, is no CloudEvent, lacks the identifier, or has a subject that is no word.
        """
        if not event.value:
            raise MalformedBody.for_field("", "json", "the event has no value; expected the body of POST /predict")
        if self._is_plain:
            return self._request(event.value, event.headers, subject_header="subject")
        return self._read_cloud_event(event, event.value)

    def _read_cloud_event(self, event: Event, value: bytes) -> EventRequest:
        attributes = dict(event.headers)
        if not attributes.get("content-type", b"").startswith(_STRUCTURED_TYPE):
            missing = [f"ce_{name}" for name in _REQUIRED if not attributes.get(f"ce_{name}")]
            if missing:
                raise InvalidRequest.for_field(missing[0], "missing", "the header is missing; expected a CloudEvent")
            _check_version(attributes.get("ce_specversion", b"").decode("utf-8", "replace"))
            return self._request(value, event.headers, subject_header="ce_subject")
        try:
            structured = self._decoder.decode(value)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            message = "the value is no CloudEvent; expected JSON with specversion, id, source, type and data"
            raise MalformedBody.for_field("", "cloudevent", message) from error
        _check_version(structured.specversion)
        headers = (*event.headers, ("ce_id", structured.id.encode()))
        if structured.subject is not None:
            headers = (*headers, ("ce_subject", structured.subject.encode()))
        return self._request(bytes(structured.data), headers, subject_header="ce_subject")

    def _request(self, body: bytes, headers: Headers, *, subject_header: str) -> EventRequest:
        value = dict(headers).get(subject_header)
        subject = None if value is None else value.decode("utf-8", "replace")
        LogOptions(subject=subject).check()
        return EventRequest(body, None if self._key is None else self._event_id(headers), subject)

    def _event_id(self, headers: Headers) -> str:
        value = dict(headers).get(str(self._key))
        if not value or len(value) > _MAX_ID_BYTES:
            message = f"the header is missing or empty; expected an identifier of 1 to {_MAX_ID_BYTES} bytes"
            raise InvalidRequest.for_field(str(self._key), "event_id", message)
        return value.decode("utf-8", "backslashreplace")


def prediction_headers(event: Event, prediction_id: str, *, is_cloud_event: bool) -> Headers:
    """Return the headers of a prediction: the position of its event, and the attributes of a CloudEvent."""
    source = event.source.encode()
    if not is_cloud_event:
        return (("source", source),)
    return (
        ("source", source),
        ("ce_specversion", _SPEC_VERSION.encode()),
        ("ce_id", prediction_id.encode()),
        ("ce_source", b"/mlops/" + source),
        ("ce_type", b"mlops.prediction"),
        ("content-type", b"application/json"),
    )


def _check_version(version: str) -> None:
    if version != _SPEC_VERSION:
        raise InvalidRequest.for_field("specversion", "version", f"expected a CloudEvent of version {_SPEC_VERSION}")
