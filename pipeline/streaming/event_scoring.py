"""Turn events into predictions, rows of the log and dead letters, by one loaded model and without effects."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import compress
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from pipeline.files import sha256
from pipeline.serving.batch_predictor import row_response
from pipeline.serving.line_up import position_of
from pipeline.state import RequestRows, RequestValues
from pipeline.streaming.dead_letters import dead_letter
from pipeline.streaming.event_values import prediction_headers

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from pipeline.serving.loaded_model import LoadedModel
    from pipeline.serving.rows.fast_decoder import DecodedRow
    from pipeline.serving.scorer import RowScorer, ScoredRow
    from pipeline.state.predictions import LoggedResult
    from pipeline.streaming.dead_letters import DeadLetter
    from pipeline.streaming.event_values import EventReader
    from pipeline.streaming.kafka_client import Event, Headers

__all__ = ["PredictedEvents", "Prediction", "ValidEvent", "event_prediction_id", "id_prefix", "predict_events"]

_SAMPLE_SALT = "sample"


class ValidEvent(NamedTuple):
    """An event with a valid row.

    It has its prediction's identifier, the row, the identifiers that a response echoes, and whom the row is about.
    """

    event: Event
    prediction_id: str
    row: DecodedRow
    echoed_ids: str
    subject: str | None = None


class Prediction(NamedTuple):
    """A prediction as its topic gets it."""

    event: Event
    value: bytes
    headers: Headers


class PredictedEvents(NamedTuple):
    """Events that one model predicted, their scores in the same order, and the events that got none."""

    model: LoadedModel
    events: list[ValidEvent]
    scored: list[ScoredRow]
    dead: list[DeadLetter]

    @property
    def ids(self) -> list[str]:
        """The identifiers of the predictions."""
        return [event.prediction_id for event in self.events]

    def predictions(self, logged: Mapping[str, LoggedResult], *, is_cloud_event: bool) -> list[Prediction]:
        """Return the predictions in the order of their events, in the form of the API.

        Where `logged` has the identifier, the prediction is what the log has of it.
        """
        predictions = []
        for (event, prediction_id, _, echoed_ids, _), scored in zip(self.events, self.scored, strict=True):
            model, stated = self.model, scored
            if logged and (result := logged.get(prediction_id)) is not None:
                model, stated = _as_logged(model, result), scored._replace(json_prefix=_logged_prefix(result))
            value = row_response(model, stated, prediction_id, ids=echoed_ids)
            headers = prediction_headers(event, prediction_id, is_cloud_event=is_cloud_event)
            predictions.append(Prediction(event, value, headers))
        return predictions

    def rows(self, *, predicted_at: int, sample_rate: float, logged: Collection[str] = ()) -> list[RequestRows]:
        """Return the rows of each subject for the log, without identifiers in `logged`, each identifier once.

        Identifiers decide which rows a `sample_rate` below 1 takes, so that a repetition takes the same ones.
        """
        model, scored, ids = self.model, self.scored, self.ids
        columns: list[list[Any]] = [
            ids,
            [row.logged_features for row in scored],
            [row.label for row in scored],
            [row.probabilities_json for row in scored],
            [row.confidence for row in scored],
            [event.subject for event in self.events],
        ]
        if sample_rate < 1.0 or logged or len(set(ids)) < len(ids):
            first = {prediction_id: at for at, prediction_id in reversed(list(enumerate(ids)))}
            is_new = [
                first[prediction_id] == at and prediction_id not in logged and _is_sampled(prediction_id, sample_rate)
                for at, prediction_id in enumerate(ids)
            ]
            columns = [list(compress(column, is_new)) for column in columns]
        shared = RequestValues(
            predicted_at=predicted_at,
            model=model.name,
            version=model.version,
            digest=model.digest,
            generation=model.generation,
            served_by=model.served_by,
            variant=model.variant,
            source="stream",
            latency_us=0,  # an event has no caller that waits
            weight=1.0 / sample_rate,
            idempotency_key=None,
            subject=None,
        )
        *values, subjects = columns
        positions: dict[str | None, list[int]] = {}
        for at, subject in enumerate(subjects):
            positions.setdefault(subject, []).append(at)
        return [
            RequestRows(shared._replace(subject=subject), *[[column[at] for at in chosen] for column in values])
            for subject, chosen in positions.items()
        ]


def _is_sampled(prediction_id: str, sample_rate: float) -> bool:
    return sample_rate >= 1.0 or position_of(prediction_id, salt=_SAMPLE_SALT) < sample_rate


def id_prefix(*words: str) -> str:
    """Return what the identifiers of predictions begin with, in the form of a UUID without its last 12 digits."""
    digest = sha256("\0".join(words).encode())
    return f"{digest[:8]}-{digest[8:12]}-8{digest[12:15]}-8{digest[15:18]}-"


def event_prediction_id(group: str, topic: str, event_id: str) -> str:
    """Return the identifier of a prediction for an event that its caller named."""
    return f"{id_prefix(group, topic, event_id)}{sha256(event_id.encode())[:12]}"


def predict_events(
    events: Sequence[Event], model: LoadedModel, reader: EventReader, id_of: Callable[[Event, str | None], str]
) -> PredictedEvents:
    """Return the predictions of events, and a dead letter for each one that gets none.

    Parameters
    ----------
    events : sequence of Event
    model : LoadedModel
    reader : EventReader
    id_of : callable
        Returns the identifier of the prediction for an event, whose caller may have chosen an identifier.
    """
    valid: list[ValidEvent] = []
    dead: list[DeadLetter] = []
    for event in events:
        event_id = None
        try:
            body, event_id, subject = reader.read(event)
            parsed = model.parser.parse_row(body)
        except Exception as error:  # noqa: BLE001 - one event never stops its partition
            dead.append(dead_letter(event, error, model_digest=model.digest, prediction_id=id_of(event, event_id)))
        else:
            echoed_ids = parsed.ids[0] if parsed.ids else ""
            valid.append(ValidEvent(event, id_of(event, event_id), parsed.rows[0], echoed_ids, subject))
    scored, failures = _score(model.scorer, valid)
    for position, failure in sorted(failures.items()):
        event, prediction_id, *_ = valid[position]
        dead.append(dead_letter(event, failure, model_digest=model.digest, prediction_id=prediction_id))
    if failures:
        valid = [event for position, event in enumerate(valid) if position not in failures]
    return PredictedEvents(model, valid, scored, dead)


def _score(scorer: RowScorer, events: list[ValidEvent], first: int = 0) -> tuple[list[ScoredRow], dict[int, Exception]]:
    """Return the scores of events, and the error of each that has none: events that fail together are halved."""
    if not events:
        return [], {}
    try:
        return scorer.score([event.row for event in events]), {}
    except Exception as failure:  # noqa: BLE001 - one event never stops its partition
        if len(events) == 1:
            return [], {first: failure}
    middle = len(events) // 2
    left, left_failures = _score(scorer, events[:middle], first)
    right, right_failures = _score(scorer, events[middle:], first + middle)
    return left + right, left_failures | right_failures


def _as_logged(model: LoadedModel, result: LoggedResult) -> LoadedModel:
    """Return a model that responses name as the log does."""
    if (model.version, model.digest, model.generation) == (result.version, result.digest, result.generation):
        return model
    served_by: Any = result.served_by
    return replace(
        model, version=result.version, digest=result.digest, generation=result.generation, served_by=served_by
    )


def _logged_prefix(result: LoggedResult) -> str:
    """Return the beginning of a response by what the log has, in the same words as the scorer."""
    confidence = msgspec.json.encode(result.confidence).decode()
    return (
        f'{{"prediction":{json.dumps(result.prediction)},"confidence":{confidence},'
        f'"probabilities":{result.probabilities},"prediction_id":"'
    )
