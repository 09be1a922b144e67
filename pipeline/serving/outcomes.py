"""Parse and store outcomes of earlier predictions; they may arrive late, twice or never, and the last one counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline import state as store
from pipeline.errors import did_you_mean
from pipeline.serving.serving_errors import BodyTooLarge, FieldError, InvalidRequest, UnknownPrediction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.state import State

__all__ = ["Outcome", "read_outcomes", "store_outcomes"]

_FIELDS = ("prediction_id", "outcome", "source")
_MAX_FIELD_LENGTH = 200
# A response shows as many errors; the search for a similar word costs more than all other checks.
_MAX_HINTS = 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one prediction; `source` names its origin, `path` its place in the body."""

    prediction_id: str
    outcome: str
    source: str = "api"
    path: str = ""


def read_outcomes(value: Any, classes: Sequence[str], *, max_rows: int, source: str = "api") -> list[Outcome]:
    """Return the outcomes of a decoded body: one object, or `{"outcomes": [...]}`.

    `source` is the origin of outcomes that name none.

    Raises
    ------
    InvalidRequest
        Naming each field that is wrong.
    BodyTooLarge
        When there are more than `max_rows` outcomes.
    """
    is_list = isinstance(value, dict) and "outcomes" in value
    if is_list and (set(value) != {"outcomes"} or not isinstance(value["outcomes"], list) or not value["outcomes"]):
        message = 'expected a body {"outcomes": [...]} with a list of at least one outcome'
        raise InvalidRequest.for_field("outcomes", "type", message)
    items = value["outcomes"] if is_list else [value]
    if len(items) > max_rows:
        message = f"has {len(items)} entries; a request accepts at most {max_rows}: split it"
        raise BodyTooLarge.for_field("outcomes", "max_rows", message)
    paths = [f"outcomes[{position}]" if is_list else "" for position in range(len(items))]
    errors: list[FieldError] = []
    for item, path in zip(items, paths, strict=True):
        errors.extend(_field_errors(item, path, classes, with_hints=len(errors) < _MAX_HINTS))
    if errors:
        raise InvalidRequest(errors)
    outcomes = [Outcome(**{"source": source, **item}, path=path) for item, path in zip(items, paths, strict=True)]
    return _without_repetitions(outcomes)


def _without_repetitions(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return one outcome for each prediction; refuse two that differ, because a request has no order."""
    first_by_id: dict[str, Outcome] = {}
    errors = [
        FieldError(
            f"{outcome.path}.outcome",
            "conflict",
            f"differs from {first.path}.outcome of the same prediction; expected one outcome for each prediction:"
            " send a correction in a later request",
        )
        for outcome in outcomes
        if (first := first_by_id.setdefault(outcome.prediction_id, outcome)).outcome != outcome.outcome
    ]
    if errors:
        raise InvalidRequest(errors)
    return list(first_by_id.values())


def store_outcomes(state: State, outcomes: Sequence[Outcome], *, caller: str) -> int:
    """Write outcomes of one caller in one transaction, all or none, and return their number.

    Raises
    ------
    UnknownPrediction
        When a prediction is not in the log.
    DependencyUnavailable
        When the database cannot be written.
    """
    received_at = state.clock()
    with state.writing() as connection:
        known_ids = store.existing_prediction_ids(connection, [outcome.prediction_id for outcome in outcomes])
        errors = [
            FieldError(f"{outcome.path}.prediction_id".lstrip("."), "unknown", "no such prediction is in the log")
            for outcome in outcomes
            if outcome.prediction_id not in known_ids
        ]
        if errors:
            raise UnknownPrediction(errors)
        rows = [(outcome.prediction_id, received_at, outcome.outcome, outcome.source) for outcome in outcomes]
        store.add_outcomes(connection, rows, caller=caller)
    return len(outcomes)


def _field_errors(item: Any, path: str, classes: Sequence[str], *, with_hints: bool) -> list[FieldError]:
    prefix = f"{path}." if path else ""
    if not isinstance(item, dict):
        message = 'expected an object such as {"prediction_id": "...", "outcome": "..."}'
        return [FieldError(path, "type", message)]
    unknown = [name for name in item if name not in _FIELDS]
    message = f"is unknown; fields: {', '.join(_FIELDS)}"
    errors = [
        FieldError(
            f"{prefix}{name[:60]!a}",
            "unknown",
            f"{message}{_hint(name, _FIELDS, is_enabled=with_hints and position < _MAX_HINTS)}",
        )
        for position, name in enumerate(unknown)
    ]
    required = ("prediction_id", "outcome")
    errors += [FieldError(f"{prefix}{name}", "missing", "is missing") for name in required if name not in item]
    for name in _FIELDS:
        value = item.get(name, "given")
        if not isinstance(value, str) or not 0 < len(value) <= _MAX_FIELD_LENGTH or not value.isprintable():
            message = f"expected text of 1 to {_MAX_FIELD_LENGTH} characters"
            errors.append(FieldError(f"{prefix}{name}", "type", message))
        elif name == "outcome" and name in item and value not in classes:
            message = f"expected one of {', '.join(classes)}{_hint(value, classes, is_enabled=with_hints)}"
            errors.append(FieldError(f"{prefix}{name}", "isin", message))
    return errors


def _hint(word: str, known: Sequence[str], *, is_enabled: bool) -> str:
    return did_you_mean(word[:60], known) if is_enabled else ""
