"""Dead letters: events without a prediction, with the problem in a header and their bytes unchanged."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from pipeline.serving.http.problems import problem_document, problem_from_error

if TYPE_CHECKING:
    from pipeline.streaming.kafka_client import Event, Headers

__all__ = ["DEAD_LETTER_HEADERS", "DeadLetter", "dead_letter"]

# The names that a dead letter adds to the headers of its event.
DEAD_LETTER_HEADERS = ("problem", "source", "model_digest", "prediction_id")

_LOG = logging.getLogger(__name__)


class DeadLetter(NamedTuple):
    """An event that got no prediction, and the headers of its record in the topic of dead letters."""

    event: Event
    headers: Headers


def dead_letter(event: Event, error: Exception, *, model_digest: str, prediction_id: str = "") -> DeadLetter:
    """Return an event with the problem document that the API would respond with; it quotes no value.

    The `request_id` of the document is the event's topic, partition and offset. The log has the traceback of an
    internal error under it. `prediction_id` is the identifier that a prediction of the event gets later.
    """
    problem = problem_from_error(error)
    if problem.kind == "bug":
        _LOG.error("%s: internal error", event.source, exc_info=error)
    document = problem_document(problem, request_id=event.source)
    given = tuple(header for header in event.headers if header[0] not in DEAD_LETTER_HEADERS)
    own = (document.strip(), event.source.encode(), model_digest.encode(), prediction_id.encode())
    return DeadLetter(event, (*given, *zip(DEAD_LETTER_HEADERS, own, strict=True)))
