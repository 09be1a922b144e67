"""Shadow predictions are read with the outcome that came after them, and leave with their prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from pipeline import state as store
from pipeline.state.predictions import erase_subject
from pipeline.state.shadow_predictions import ShadowPrediction, add_shadow_predictions
from pipeline.state.tables import shadow_predictions
from tests.pipeline.retraining.labeled_log import MODEL, START, Logged, write_outcomes, write_predictions

if TYPE_CHECKING:
    from pipeline.state import State

CHAMPION, CHALLENGER = "d" * 64, "e" * 64


def add_shadows(state: State, *moments: int) -> None:
    rows = [
        ShadowPrediction(f"p{at}", CHALLENGER, 1, "yes", f"shares of p{at}", moment)
        for at, moment in enumerate(moments)
    ]
    with state.writing() as connection:
        add_shadow_predictions(connection, rows)


def test_a_shadow_prediction_counts_if_it_came_before_the_outcome(state: State) -> None:
    write_predictions(state, [Logged(1), Logged(2), Logged(3)])
    add_shadows(state, START - 1, START + 1)
    write_outcomes(state, ("p0", "yes", ""), ("p1", "yes", ""), ("p2", "no", ""))
    with state.reading() as connection:
        read = store.read_arrived_outcomes(
            connection, MODEL, [CHAMPION], after=0, until=3, fresh_from=0, shadow_digest=CHALLENGER
        )
        without = store.read_arrived_outcomes(connection, MODEL, [CHAMPION], after=0, until=3, fresh_from=0)
    assert [outcome.shadow for outcome in read] == ["shares of p0", None, None]
    assert [outcome.shadow for outcome in without] == [None, None, None]


def test_erasing_a_subject_removes_its_shadow_predictions(state: State) -> None:
    write_predictions(state, [Logged(1, subject="ada"), Logged(2)])
    add_shadows(state, START, START)
    with state.writing() as connection:
        assert erase_subject(connection, "ada") == 1
    with state.reading() as connection:
        assert connection.execute(select(shadow_predictions.c.prediction_id)).scalars().all() == ["p1"]
