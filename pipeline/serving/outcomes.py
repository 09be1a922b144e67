"""Keep what became true of earlier predictions; it may arrive late, twice, or never, and the last one counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline import state as store
from pipeline.errors import did_you_mean
from pipeline.serving.errors import BodyTooLarge, FieldError, InvalidRequest, UnknownPrediction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.state import State

__all__ = ["Outcome", "read_outcomes", "store_outcomes"]

_FIELDS = ("prediction_id", "outcome", "source")
_MAX_FIELD_LENGTH = 200
# A refusal shows as many problems; to look for a word that is near costs more than everything else.
_MAX_HINTS = 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became true of one prediction; `source` says who knows, `path` where it stood in the body."""

    prediction_id: str
    outcome: str
    source: str = "api"
    path: str = ""


def read_outcomes(value: Any, classes: Sequence[str], *, max_rows: int) -> list[Outcome]:
    """Return the outcomes of a decoded body: one object, or `{"outcomes": [...]}`.

    Raises
    ------
    BodyRefused
        Naming each field that is wrong.
    """
    is_many = isinstance(value, dict) and "outcomes" in value
    if is_many and (set(value) != {"outcomes"} or not isinstance(value["outcomes"], list) or not value["outcomes"]):
        said = 'the body is {"outcomes": [...]} with a list of at least one outcome'
        raise InvalidRequest.for_field("outcomes", "type", said)
    given = value["outcomes"] if is_many else [value]
    if len(given) > max_rows:
        said = f"has {len(given)} entries; at most {max_rows} are accepted in one request, send several"
        raise BodyTooLarge.for_field("outcomes", "max_rows", said)
    paths = [f"outcomes[{at}]" if is_many else "" for at in range(len(given))]
    problems: list[FieldError] = []
    for one, path in zip(given, paths, strict=True):
        problems.extend(_field_errors(one, path, classes, with_hints=len(problems) < _MAX_HINTS))
    if problems:
        raise InvalidRequest(problems)
    return [Outcome(**one, path=path) for one, path in zip(given, paths, strict=True)]


def store_outcomes(state: State, outcomes: Sequence[Outcome]) -> int:
    """Write outcomes in one transaction, all or none, and return how many.

    Raises
    ------
    BodyRefused
        When a prediction is not known.
    DependencyUnavailable
        When the database cannot be written.
    """
    at = state.clock()
    with state.writing() as connection:
        known = store.existing_prediction_ids(connection, [one.prediction_id for one in outcomes])
        unknown = [
            FieldError(f"{one.path}.prediction_id".lstrip("."), "unknown", "no such prediction is in the log")
            for one in outcomes
            if one.prediction_id not in known
        ]
        if unknown:
            raise UnknownPrediction(unknown)
        store.add_outcomes(connection, [(one.prediction_id, at, one.outcome, one.source) for one in outcomes])
    return len(outcomes)


def _field_errors(value: Any, path: str, classes: Sequence[str], *, with_hints: bool) -> list[FieldError]:
    prefix = f"{path}." if path else ""
    if not isinstance(value, dict):
        said = 'expected an object such as {"prediction_id": "...", "outcome": "..."}'
        return [FieldError(path, "type", said)]
    unknown = [name for name in value if name not in _FIELDS]
    said = f"is not known here; fields: {', '.join(_FIELDS)}"
    found = [
        FieldError(
            f"{prefix}{name[:60]!a}",
            "unknown",
            f"{said}{_hint(name, _FIELDS, is_enabled=with_hints and at < _MAX_HINTS)}",
        )
        for at, name in enumerate(unknown)
    ]
    required = ("prediction_id", "outcome")
    found += [FieldError(f"{prefix}{name}", "missing", "is missing") for name in required if name not in value]
    for name in _FIELDS:
        word = value.get(name, "given")
        if not isinstance(word, str) or not 0 < len(word) <= _MAX_FIELD_LENGTH or not word.isprintable():
            found.append(FieldError(f"{prefix}{name}", "type", f"expected text of 1 to {_MAX_FIELD_LENGTH} signs"))
        elif name == "outcome" and name in value and word not in classes:
            said = f"expected one of {', '.join(classes)}{_hint(word, classes, is_enabled=with_hints)}"
            found.append(FieldError(f"{prefix}{name}", "isin", said))
    return found


def _hint(word: str, known: Sequence[str], *, is_enabled: bool) -> str:
    return did_you_mean(word[:60], known) if is_enabled else ""
