"""A challenger is scored beside the champion on logged rows, and nothing that it does reaches a caller."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from pipeline.errors import IntegrityError
from pipeline.serving.shadow_scorer import ShadowScorer
from pipeline.state import STATE_URL_ENV, open_state
from pipeline.state.tables import predictions, shadow_predictions
from tests.pipeline.serving.test_worker import make_request, run_with_worker, submit_all

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.serving.loaded_model import LoadedModel
    from pipeline.serving.worker import PredictionWorker
    from pipeline.state import State


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[State]:
    """An empty state database in a file."""
    monkeypatch.delenv(STATE_URL_ENV, raising=False)
    opened = open_state(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def champion(loaded_models: dict[str, LoadedModel]) -> LoadedModel:
    return loaded_models["linear"]


@pytest.fixture
def challenger(loaded_models: dict[str, LoadedModel]) -> LoadedModel:
    return loaded_models["boosted"]


def scorer(champion: LoadedModel, challenger: LoadedModel, state: State, *, max_rows: int = 100) -> ShadowScorer:
    return ShadowScorer(champion, challenger, trial=7, state=state, max_waiting_rows=max_rows)


def serve(
    state: State, shadow: ShadowScorer, model: LoadedModel, *sizes: int, is_scored: bool = True, **settings: Any
) -> list[Any]:
    """Predict requests of these sizes, wait until their rows are scored, and return the results."""

    async def use(worker: PredictionWorker) -> list[Any]:
        worker.shadow = shadow
        results = await submit_all(worker, [make_request(model, n) for n in sizes])
        for _ in range(2_000):
            if not is_scored or (not shadow.has_work and shadow.n_scored + shadow.n_failed > 0):
                break
            await asyncio.sleep(0.005)
        return results

    return list(run_with_worker(state, use, **settings))


def rows_of(state: State, table: Any) -> list[Any]:
    with state.reading() as connection:
        return list(connection.execute(select(table)))


def test_each_logged_row_gets_the_prediction_of_the_challenger(
    state: State, champion: LoadedModel, challenger: LoadedModel
) -> None:
    shadow = scorer(champion, challenger, state)
    serve(state, shadow, champion, 1, 6)
    scored = {row.prediction_id: row for row in rows_of(state, shadow_predictions)}
    logged = rows_of(state, predictions)
    expected = challenger.scorer.score(make_rows_of(champion))
    assert {row.prediction_id for row in logged} == set(scored)
    assert {row.probabilities for row in scored.values()} == {row.probabilities_json for row in expected}
    assert {(row.digest, row.trial) for row in scored.values()} == {(challenger.digest, 7)}
    assert (shadow.status()["n_scored"], shadow.status()["n_dropped"], shadow.status()["n_failed"]) == (7, 0, 0)


def make_rows_of(model: LoadedModel) -> list[tuple[Any, ...]]:
    async def parse() -> list[tuple[Any, ...]]:
        return [*make_request(model).rows.rows, *make_request(model, 6).rows.rows]

    return asyncio.run(parse())


def test_rows_beyond_the_limit_are_dropped_and_counted(
    state: State, champion: LoadedModel, challenger: LoadedModel
) -> None:
    shadow = scorer(champion, challenger, state, max_rows=4)
    serve(state, shadow, champion, 10)
    assert len(rows_of(state, shadow_predictions)) == 4
    assert (shadow.n_scored, shadow.n_dropped) == (4, 6)


def test_a_failing_challenger_is_counted_and_the_caller_gets_the_prediction(
    state: State, champion: LoadedModel, challenger: LoadedModel
) -> None:
    shadow = scorer(champion, challenger, state)
    shadow._positions = shadow._positions[:2]  # the encoder of the challenger refuses such rows
    results = serve(state, shadow, champion, 1, 3)
    assert not any(isinstance(result, BaseException) for result in results)
    assert (len(rows_of(state, predictions)), shadow.n_scored, shadow.n_failed) == (4, 0, 4)
    assert shadow.last_error


def test_rows_of_another_version_or_outside_of_the_log_are_not_scored(
    state: State, champion: LoadedModel, challenger: LoadedModel
) -> None:
    shadow = scorer(champion, challenger, state)
    serve(state, shadow, replace(champion, digest="0" * 64), 2, is_scored=False)
    serve(state, shadow, champion, 2, is_scored=False, mode="none")
    assert rows_of(state, shadow_predictions) == []
    assert not shadow.has_work


def test_only_sampled_rows_are_scored(state: State, champion: LoadedModel, challenger: LoadedModel) -> None:
    shadow = scorer(champion, challenger, state, max_rows=1_000)
    serve(state, shadow, champion, 300, sample_rate=0.5)
    assert {row.prediction_id for row in rows_of(state, shadow_predictions)} == {
        row.prediction_id for row in rows_of(state, predictions)
    }
    assert 50 < shadow.n_scored < 250


def test_a_challenger_with_another_feature_is_refused(
    state: State, champion: LoadedModel, challenger: LoadedModel
) -> None:
    schema = challenger.schema
    column = replace(schema.features[0], name="new")
    other = replace(challenger, package=replace(challenger.package, schema=replace(schema, columns=(column,))))
    with pytest.raises(IntegrityError, match="new: version 1 has no such features of the same type"):
        scorer(champion, other, state)


def test_requests_go_first_unless_rows_would_be_dropped(
    state: State, champion: LoadedModel, challenger: LoadedModel
) -> None:
    shadow = scorer(champion, challenger, state, max_rows=4)
    row = make_rows_of(champion)[0]
    shadow.enqueue([("a", row), ("b", row)])
    assert shadow.patience_s == 0.005
    shadow.enqueue([("c", row)])
    assert shadow.patience_s == 0.0
    shadow.work()
    assert (shadow.patience_s, shadow.n_scored) == (0.05, 0)
    shadow.work()
    assert (shadow.has_work, shadow.n_scored) == (False, 3)
