"""During a live trial the challenger predicts logged rows, and every caller gets the champion."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from pipeline.state import open_state
from pipeline.state.tables import predictions, shadow_predictions
from tests.fixtures.registered_project import (
    batch_body,
    make_engine,
    make_rows,
    open_live_trial,
    row_body,
    step_trial,
    wait_until,
)

if TYPE_CHECKING:
    from pathlib import Path

_N_ROWS = 8


def test_a_live_trial_starts_and_ends_while_callers_get_the_champion(project: Path) -> None:
    trial = open_live_trial(project)

    async def use() -> tuple[list[Any], Any, Any]:
        engine = make_engine(project)
        await engine.start()
        first, *others = make_rows(_N_ROWS)
        responses = [json.loads(await engine.predict_row(row_body(first)))]
        responses += json.loads(await engine.predict_batch(batch_body(others)))["predictions"]
        await wait_until(lambda: engine.status()["live_trial"]["n_scored"] == _N_ROWS)
        status = engine.status()["live_trial"]
        step_trial(project, trial, state="aborted", decided_at=engine.state.clock())
        await engine.reload()
        ended = engine.status()["live_trial"]
        await engine.close()
        return responses, status, ended

    responses, status, ended = asyncio.run(use())
    assert responses[0]["variant"] == "champion"
    assert (status["id"], status["version"], status["n_failed"], ended) == (trial.seq, 2, 0, None)
    state = open_state(project)
    with state.reading() as connection:
        scored = {row.prediction_id: row for row in connection.execute(select(shadow_predictions))}
        logged = {row.prediction_id: row for row in connection.execute(select(predictions))}
    state.close()
    assert set(scored) == set(logged) == {response["prediction_id"] for response in responses}
    assert {row.digest for row in scored.values()} == {trial.challenger_digest}
    assert {row.variant for row in logged.values()} == {"champion"}
