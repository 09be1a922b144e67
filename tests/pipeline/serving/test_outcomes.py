"""Outcomes are parsed strictly and stored together or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pipeline import state as store
from pipeline.serving.outcomes import Outcome, read_outcomes, store_outcomes
from pipeline.serving.serving_errors import BodyTooLarge, InvalidRequest, UnknownPrediction

if TYPE_CHECKING:
    from pipeline.state import State

CLASSES = ("no", "yes")
VALID = {"prediction_id": "p1", "outcome": "yes"}


def read(value: Any, *, max_rows: int = 3) -> list[Outcome]:
    return read_outcomes(value, CLASSES, max_rows=max_rows)


def test_one_outcome_may_come_alone_or_in_a_list() -> None:
    assert read(VALID) == [Outcome("p1", "yes")]
    other = {**VALID, "prediction_id": "p2", "source": "crm"}
    assert read({"outcomes": [VALID, other]}) == [
        Outcome("p1", "yes", path="outcomes[0]"),
        Outcome("p2", "yes", source="crm", path="outcomes[1]"),
    ]


def test_a_repeated_outcome_counts_once_and_one_that_differs_is_a_conflict() -> None:
    assert read({"outcomes": [VALID, {**VALID, "source": "crm"}, VALID]}) == [Outcome("p1", "yes", path="outcomes[0]")]
    with pytest.raises(InvalidRequest, match=r"outcomes\[2\].outcome: differs from outcomes\[0\].outcome"):
        read({"outcomes": [VALID, {**VALID, "prediction_id": "p2"}, {**VALID, "outcome": "no"}]})


@pytest.mark.parametrize(
    ("value", "path", "rule"),
    [
        ([], "", "type"),
        ({"outcomes": []}, "outcomes", "type"),
        ({"outcomes": VALID}, "outcomes", "type"),
        ({"outcomes": [VALID], "source": "crm"}, "outcomes", "type"),
        ({"outcomes": [VALID, 3]}, "outcomes[1]", "type"),
        ({"outcome": "yes"}, "prediction_id", "missing"),
        ({"prediction_id": "p1"}, "outcome", "missing"),
        ({**VALID, "prediction_id": ""}, "prediction_id", "type"),
        ({**VALID, "prediction_id": "x" * 201}, "prediction_id", "type"),
        ({**VALID, "source": 5}, "source", "type"),
        ({**VALID, "outcome": "Yes"}, "outcome", "isin"),
        ({**VALID, "note": "late"}, "'note'", "unknown"),
    ],
)
def test_an_invalid_field_is_named_with_its_rule(value: Any, path: str, rule: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(value)
    assert [(error.path, error.rule) for error in caught.value.errors] == [(path, rule)]


def test_a_similar_class_is_suggested() -> None:
    with pytest.raises(InvalidRequest, match=r"expected one of no, yes; did you mean 'yes'\?"):
        read({**VALID, "outcome": "yess"})


def test_more_outcomes_than_allowed_are_refused() -> None:
    with pytest.raises(BodyTooLarge, match="has 4 entries; a request accepts at most 3: split it"):
        read({"outcomes": [VALID] * 4})


def test_an_unknown_prediction_refuses_all_outcomes(logged_state: State) -> None:
    outcomes = [Outcome("none", "Introvert", path="outcomes[0]")]
    with logged_state.reading() as connection:
        known_id = next(store.iter_predictions(connection, since=0, until=2**62))[0].prediction_id
    with pytest.raises(UnknownPrediction, match=r"outcomes\[0\]\.prediction_id: no such prediction is in the log"):
        store_outcomes(logged_state, [Outcome(known_id, "Extrovert"), *outcomes], caller="key-1")
    with logged_state.reading() as connection:
        assert store.latest_outcomes(connection, [known_id]) == {known_id: "Introvert"}
    assert store_outcomes(logged_state, [Outcome(known_id, "Extrovert")], caller="key-2") == 1
    with logged_state.reading() as connection:
        assert store.latest_outcomes(connection, [known_id]) == {known_id: "Extrovert"}
        assert [outcome.caller for outcome in store.read_outcomes(connection, known_id)] == ["", "key-2"]
