"""The engine answers alike whichever way a row comes, once for each key, and from one bundle."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import select

from pipeline import state as store
from pipeline.package import PackageStore
from pipeline.serving import Engine, InvalidRequest, NotReady, Readiness
from pipeline.serving.batch_predictor import _PredictionIds
from pipeline.serving.errors import IdempotencyConflict
from pipeline.serving.explain import feature_contributions
from pipeline.state import open_state
from pipeline.state.tables import outcomes, predictions
from tests.fixtures.registered_project import (
    NAME,
    batch_body,
    engine_settings,
    make_engine,
    make_rows,
    promote,
    row_body,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from pipeline.package import Package


def run_with_engine(root: Path, use: Callable[[Engine], Awaitable[Any]], **changes: Any) -> Any:
    async def run() -> Any:
        engine = make_engine(root, **changes)
        await engine.start()
        try:
            return await use(engine)
        finally:
            await engine.close()

    return asyncio.run(run())


def production_package(root: Path) -> Package:
    state = open_state(root)
    with state.reading() as connection:
        digest = store.current_deployment(connection, NAME).digests["Production"]
    state.close()
    return PackageStore(root / "state/packages").load(digest)


def logged_rows(root: Path) -> list[Any]:
    state = open_state(root)
    with state.reading() as connection:
        found = list(connection.execute(select(predictions).order_by(predictions.c.seq)))
    state.close()
    return found


@pytest.mark.parametrize("version", [1, 2])
def test_a_row_gets_the_same_bits_alone_in_a_batch_and_by_columns(project: Path, version: int) -> None:
    promote(project, version)
    given = make_rows(1000)

    async def use(engine: Engine) -> Any:
        alone = await asyncio.gather(*(engine.predict_row(row_body(row)) for row in given))
        batch = json.loads(await engine.predict_batch(batch_body(given)))["predictions"]
        columns = await engine.predict_columns({name: [row[name] for row in given] for name in given[0]})
        return [json.loads(body) for body in alone], batch, columns

    alone, batch, columns = run_with_engine(project, use)
    shares = [list(answer["probabilities"].values()) for answer in alone]
    assert shares == [list(answer["probabilities"].values()) for answer in batch] == columns.probabilities
    assert [answer["prediction"] for answer in alone] == columns.predictions
    package = production_package(project)
    frame = pd.DataFrame(given).convert_dtypes()
    expected = package.sklearn_classifier()
    assert columns.predictions == expected.predict(frame).tolist()
    assert np.abs(np.array(shares) - expected.predict_proba(frame)).max() <= 1e-5


def test_an_answer_that_was_kept_is_the_one_that_would_be_worked_out(project: Path) -> None:
    given = make_rows(300)

    async def use(engine: Engine) -> Any:
        answers = [json.loads(await engine.predict_batch(batch_body(given)))["predictions"] for _ in range(2)]
        return [[{**one, "prediction_id": ""} for one in each] for each in answers]

    first, again = run_with_engine(project, use)
    (worked_out, _) = run_with_engine(project, use, engine=engine_settings(prediction_cache_rows=0))
    assert first == again == worked_out


def test_an_answer_names_its_model_and_what_makes_it_uncertain(project: Path) -> None:
    answer = json.loads(run_with_engine(project, lambda engine: engine.predict_row(row_body({"Stage_fear": "No"}))))
    digest = production_package(project).digest
    assert (answer["model_name"], answer["model_version"], answer["model_digest"]) == (NAME, 1, digest)
    assert (answer["generation"], answer["served_by"]) == (1, "production")
    assert [warning["rule"] for warning in answer["warnings"]] == ["many_missing"]
    assert answer["confidence"] == max(answer["probabilities"].values())


def test_every_answer_has_a_row_in_the_log(project: Path) -> None:
    given = make_rows(40)

    async def use(engine: Engine) -> list[dict[str, Any]]:
        bodies = await asyncio.gather(*(engine.predict_row(row_body(row), subject="bob") for row in given))
        return [json.loads(body) for body in bodies]

    answers = run_with_engine(project, use)
    found = logged_rows(project)
    assert [row.seq for row in found] == list(range(1, 41))
    by_id = {row.prediction_id: row for row in found}
    for answer, row in zip(answers, given, strict=True):
        kept = by_id[answer["prediction_id"]]
        assert json.loads(kept.features) == row
        assert json.loads(kept.probabilities) == answer["probabilities"]
        assert (kept.prediction, kept.confidence) == (answer["prediction"], answer["confidence"])
        assert (kept.subject, kept.weight, kept.served_by) == ("bob", 1.0, "production")


def test_a_retry_gets_the_stored_answer_even_after_a_restart(project: Path) -> None:
    row, other = make_rows(2)

    async def ask(engine: Engine) -> list[bytes]:
        return list(await asyncio.gather(*(engine.predict_row(row_body(row), key="k") for _ in range(3))))

    first, second = run_with_engine(project, ask), run_with_engine(project, ask)
    assert len({*first, *second}) == 1
    assert len(logged_rows(project)) == 1
    with pytest.raises(InvalidRequest, match="this key belongs to another request"):
        run_with_engine(project, lambda engine: engine.predict_row(row_body(other), key="k"))


def test_a_bad_row_is_left_out_where_that_is_asked_for(project: Path) -> None:
    given = [*make_rows(1), {"Stage_fear": "Maybe"}, *make_rows(1)]
    answer = json.loads(
        run_with_engine(project, lambda engine: engine.predict_batch(batch_body(given), on_error="partial"))
    )
    first, bad, last = answer["predictions"]
    assert first["probabilities"] == last["probabilities"]
    assert (bad["problems"][0]["path"], answer["n_refused"]) == ("instances[1].Stage_fear", 1)


def test_without_a_model_the_engine_says_what_to_do(project: Path) -> None:
    promote(project, 1, "Archived")

    async def use(engine: Engine) -> None:
        assert not engine.ready().is_ready
        with pytest.raises(NotReady, match="mlops promote VERSION"):
            await engine.predict_row(row_body(make_rows(1)[0]))

    run_with_engine(project, use)


def test_outcomes_are_kept_for_known_predictions_only(project: Path) -> None:
    async def use(engine: Engine) -> None:
        name = json.loads(await engine.predict_row(row_body(make_rows(1)[0])))["prediction_id"]
        told = {"prediction_id": name, "outcome": "Introvert"}
        assert json.loads(await engine.feedback(json.dumps(told).encode())) == {"stored": 1}
        both = {"outcomes": [told, {"prediction_id": "none", "outcome": "Introvert"}]}
        with pytest.raises(InvalidRequest, match=r"outcomes\[1\]\.prediction_id: no such prediction"):
            await engine.feedback(json.dumps(both).encode())
        with pytest.raises(InvalidRequest, match="outcome: expected one of Extrovert, Introvert"):
            await engine.feedback(json.dumps({**told, "outcome": "introvert"}).encode())
        with engine.state.reading() as connection:
            kept = list(connection.execute(select(outcomes)))
        assert [(row.prediction_id, row.outcome, row.source) for row in kept] == [(name, "Introvert", "api")]

    run_with_engine(project, use)


def test_a_contribution_is_what_the_probability_loses_when_the_feature_is_as_in_training(project: Path) -> None:
    row = make_rows(1)[0]

    async def use(engine: Engine) -> Any:
        assert engine.loaded_model is not None
        return engine.loaded_model.reference, feature_contributions(
            engine.loaded_model, engine.loaded_model.parser.parse_row(row_body(row))
        )

    reference, (label, confidence, found) = run_with_engine(project, use)
    assert sorted(found) == sorted(row)
    bins = reference.column("Stage_fear")
    counts = dict(zip(bins.labels, bins.counts, strict=True))
    words = [*bins.points, None]
    frame = pd.DataFrame([{**row, "Stage_fear": word} for word in words]).astype({"Stage_fear": "string"})
    package = production_package(project)
    shares = package.predict_proba(frame.convert_dtypes())[:, package.classes.index(label)]
    weights = [*(counts[word] for word in bins.points), counts["missing"]]
    assert found["Stage_fear"] == pytest.approx(confidence - np.average(shares, weights=weights))


def test_a_full_queue_turns_requests_away(project: Path) -> None:
    async def use(engine: Engine) -> list[Any]:
        given = (engine.predict_row(row_body(row)) for row in make_rows(200))
        return list(await asyncio.gather(*given, return_exceptions=True))

    answers = run_with_engine(project, use, max_queue_rows=1)
    refused = [answer for answer in answers if isinstance(answer, NotReady)]
    assert refused
    assert len(refused) + len(logged_rows(project)) == 200


def test_a_sample_keeps_fewer_rows_whose_weights_make_up_for_it(project: Path) -> None:
    given = make_rows(2000)
    body = run_with_engine(project, lambda engine: engine.predict_batch(batch_body(given)), sample_rate=0.25)
    found = logged_rows(project)
    assert 350 < len(found) < 650
    assert {row.weight for row in found} == {4.0}
    answers = {one["prediction_id"]: (at, one) for at, one in enumerate(json.loads(body)["predictions"])}
    for row in found:
        at, answer = answers[row.prediction_id]
        known = {name: value for name, value in given[at].items() if value is not None}
        kept = {name: value for name, value in json.loads(row.features).items() if value is not None}
        assert (row.prediction, row.confidence, kept) == (answer["prediction"], answer["confidence"], known)


def test_a_batch_of_which_a_sample_keeps_nothing_is_answered(project: Path) -> None:
    async def use(engine: Engine) -> list[Any]:
        return [json.loads(await engine.predict_batch(batch_body(make_rows(1)))) for _ in range(20)]

    answers = run_with_engine(project, use, sample_rate=0.01)
    assert [len(one["predictions"]) for one in answers] == [1] * 20
    assert len(logged_rows(project)) < 5


def test_without_a_log_nothing_is_written(project: Path) -> None:
    answer = run_with_engine(project, lambda engine: engine.predict_row(row_body(make_rows(1)[0])), mode="none")
    assert json.loads(answer)["prediction_id"]
    assert logged_rows(project) == []


def test_more_rows_than_allowed_are_refused(project: Path) -> None:
    with pytest.raises(InvalidRequest, match="at most 5 are accepted"):
        run_with_engine(
            project, lambda engine: engine.predict_batch(batch_body(make_rows(6))), engine=engine_settings(max_rows=5)
        )


def test_no_identifier_is_given_twice_when_two_threads_ask() -> None:
    every = sys.getswitchinterval()
    ids, given = _PredictionIds(), list[str]()
    threads = [
        threading.Thread(target=lambda: [given.extend(ids.next_ids(5)) for _ in range(10_000)]),
        threading.Thread(target=lambda: [given.append(ids.next_id()) for _ in range(50_000)]),
    ]
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(every)
    assert len(set(given)) == len(given) == 100_000


def test_an_engine_that_was_never_started_closes_and_is_not_ready(tmp_path: Path) -> None:
    engine = make_engine(tmp_path)
    asyncio.run(engine.close())
    assert engine.ready() == Readiness(is_ready=False, reason="the engine was not started")
    assert (engine.status()["active"], engine.status()["queue_rows"]) == (None, 0)
    with pytest.raises(NotReady, match="the engine was not started"):
        _ = engine.state


def test_a_closed_engine_closes_again_and_refuses_requests(project: Path) -> None:
    async def run() -> None:
        engine = make_engine(project)
        await engine.start()
        await engine.close()
        await engine.close()
        with pytest.raises(NotReady, match="the engine was closed"):
            await engine.predict_row(row_body(make_rows(1)[0]))
        with pytest.raises(NotReady, match="the engine was closed"):
            await engine.reload()

    asyncio.run(run())


def test_a_retry_of_columns_gets_the_stored_predictions_and_other_columns_are_refused(project: Path) -> None:
    rows = make_rows(3)
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    reordered = {name: list(reversed(values)) for name, values in columns.items()}

    async def ask(engine: Engine) -> list[str]:
        return (await engine.predict_columns(columns, key="k")).prediction_ids

    assert run_with_engine(project, ask) == run_with_engine(project, ask)
    with pytest.raises(IdempotencyConflict, match="this key belongs to another request"):
        run_with_engine(project, lambda engine: engine.predict_columns(reordered, key="k"))
