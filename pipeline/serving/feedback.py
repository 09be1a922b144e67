"""Keep what became true of earlier predictions; it may arrive late, twice, or never, and the last one counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline import state as store
from pipeline.errors import did_you_mean
from pipeline.serving.contracts import BodyRefused, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.state import State

__all__ = ["Outcome", "read_outcomes", "store_outcomes"]

_FIELDS = ("prediction_id", "outcome", "source")
_MAX_WORD = 200


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became true of one prediction; `source` says who knows."""

    prediction_id: str
    outcome: str
    source: str = "api"


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
        raise BodyRefused(422, [Problem("outcomes", "type", said)])
    given = value["outcomes"] if is_many else [value]
    if len(given) > max_rows:
        said = f"has {len(given)} entries; at most {max_rows} are accepted in one request, send several"
        raise BodyRefused(413, [Problem("outcomes", "max_rows", said)])
    problems: list[Problem] = []
    for at, one in enumerate(given):
        problems.extend(_problems(one, f"outcomes[{at}]" if is_many else "", classes))
    if problems:
        raise BodyRefused(422, problems)
    return [Outcome(**one) for one in given]


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
        known = store.known_predictions(connection, [one.prediction_id for one in outcomes])
        unknown = [
            Problem(f"outcomes[{position}].prediction_id", "unknown", "no such prediction is in the log")
            for position, one in enumerate(outcomes)
            if one.prediction_id not in known
        ]
        if unknown:
            raise BodyRefused(422, unknown)
        store.add_outcomes(connection, [(one.prediction_id, at, one.outcome, one.source) for one in outcomes])
    return len(outcomes)


def _problems(value: Any, path: str, classes: Sequence[str]) -> list[Problem]:
    prefix = f"{path}." if path else ""
    if not isinstance(value, dict):
        said = 'expected an object such as {"prediction_id": "...", "outcome": "..."}'
        return [Problem(path, "type", said)]
    found = [
        Problem(f"{prefix}{name[:60]!a}", "unknown", f"is not known here; fields: {', '.join(_FIELDS)}")
        for name in value
        if name not in _FIELDS
    ]
    required = ("prediction_id", "outcome")
    found += [Problem(f"{prefix}{name}", "missing", "is missing") for name in required if name not in value]
    for name in _FIELDS:
        word = value.get(name, "given")
        if not isinstance(word, str) or not 0 < len(word) <= _MAX_WORD or not word.isprintable():
            found.append(Problem(f"{prefix}{name}", "type", f"expected text of 1 to {_MAX_WORD} signs"))
        elif name == "outcome" and name in value and word not in classes:
            said = f"expected one of {', '.join(classes)}{did_you_mean(word, classes)}"
            found.append(Problem(f"{prefix}{name}", "isin", said))
    return found
