"""The engine predicts the same for a row in any form, once for each key, and from one model version."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import select

from pipeline import state as store
from pipeline.errors import IntegrityError
from pipeline.package import PackageStore
from pipeline.project import paths
from pipeline.serving import Engine, InvalidRequest, NotReady, Readiness
from pipeline.serving.log_options import LogOptions
from pipeline.serving.serving_errors import IdempotencyConflict
from pipeline.state import open_state
from pipeline.state.tables import outcomes, predictions
from tests.fixtures.open_connections import take_leaked_connections
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
        rows = list(connection.execute(select(predictions).order_by(predictions.c.seq)))
    state.close()
    return rows


@pytest.mark.parametrize("version", [1, 2])
def test_a_row_gets_the_same_bits_alone_in_a_batch_and_by_columns(project: Path, version: int) -> None:
    promote(project, version)
    rows = make_rows(1000)

    async def use(engine: Engine) -> Any:
        alone = await asyncio.gather(*(engine.predict_row(row_body(row)) for row in rows))
        batch = json.loads(await engine.predict_batch(batch_body(rows)))["predictions"]
        columns = await engine.predict_columns({name: [row[name] for row in rows] for name in rows[0]})
        return [json.loads(body) for body in alone], batch, columns

    alone, batch, columns = run_with_engine(project, use)
    shares = [list(response["probabilities"].values()) for response in alone]
    assert shares == [list(response["probabilities"].values()) for response in batch] == columns.probabilities
    assert [response["prediction"] for response in alone] == columns.predictions
    package = production_package(project)
    frame = pd.DataFrame(rows).convert_dtypes()
    expected = package.sklearn_classifier()
    assert columns.predictions == expected.predict(frame).tolist()
    assert np.abs(np.array(shares) - expected.predict_proba(frame)).max() <= 1e-5


def test_a_cached_prediction_equals_a_computed_one(project: Path) -> None:
    rows = make_rows(300)

    async def use(engine: Engine) -> Any:
        batches = [json.loads(await engine.predict_batch(batch_body(rows)))["predictions"] for _ in range(2)]
        return [[{**item, "prediction_id": ""} for item in batch] for batch in batches]

    first, again = run_with_engine(project, use)
    (computed, _) = run_with_engine(project, use, engine=engine_settings(prediction_cache_rows=0))
    assert first == again == computed


def test_a_prediction_names_its_model_and_its_warnings(project: Path) -> None:
    response = json.loads(run_with_engine(project, lambda engine: engine.predict_row(row_body({"Stage_fear": "No"}))))
    digest = production_package(project).digest
    assert (response["model_name"], response["model_version"], response["model_digest"]) == (NAME, 1, digest)
    assert (response["generation"], response["served_by"]) == (1, "production")
    assert [warning["rule"] for warning in response["warnings"]] == ["many_missing"]
    assert response["confidence"] == max(response["probabilities"].values())


def test_every_prediction_has_a_row_in_the_log(project: Path) -> None:
    rows = make_rows(40)

    async def use(engine: Engine) -> list[dict[str, Any]]:
        bodies = await asyncio.gather(*(engine.predict_row(row_body(row), LogOptions(subject="bob")) for row in rows))
        return [json.loads(body) for body in bodies]

    responses = run_with_engine(project, use)
    logged = logged_rows(project)
    assert [row.seq for row in logged] == list(range(1, 41))
    by_id = {row.prediction_id: row for row in logged}
    for response, row in zip(responses, rows, strict=True):
        stored = by_id[response["prediction_id"]]
        assert json.loads(stored.features) == row
        assert json.loads(stored.probabilities) == response["probabilities"]
        assert (stored.prediction, stored.confidence) == (response["prediction"], response["confidence"])
        assert (stored.subject, stored.weight, stored.served_by) == ("bob", 1.0, "production")


def test_a_retry_gets_the_stored_response_even_after_a_restart(project: Path) -> None:
    row, other = make_rows(2)

    async def ask(engine: Engine) -> list[bytes]:
        return list(await asyncio.gather(*(engine.predict_row(row_body(row), LogOptions(key="k")) for _ in range(3))))

    first, second = run_with_engine(project, ask), run_with_engine(project, ask)
    assert len({*first, *second}) == 1
    assert len(logged_rows(project)) == 1
    with pytest.raises(InvalidRequest, match="this key belongs to another request"):
        run_with_engine(project, lambda engine: engine.predict_row(row_body(other), LogOptions(key="k")))


def test_an_invalid_row_is_left_out_on_request(project: Path) -> None:
    rows = [*make_rows(1), {"Stage_fear": "Maybe"}, *make_rows(1)]
    response = json.loads(
        run_with_engine(project, lambda engine: engine.predict_batch(batch_body(rows), on_error="partial"))
    )
    first, bad, last = response["predictions"]
    assert first["probabilities"] == last["probabilities"]
    assert (bad["problems"][0]["path"], response["n_refused"]) == ("instances[1].Stage_fear", 1)


def test_without_a_model_the_message_names_the_command(project: Path) -> None:
    promote(project, 1, "Archived")

    async def use(engine: Engine) -> None:
        assert not engine.ready().is_ready
        with pytest.raises(NotReady, match="mlops promote VERSION"):
            await engine.predict_row(row_body(make_rows(1)[0]))

    run_with_engine(project, use)


def test_outcomes_are_stored_for_known_predictions_only(project: Path) -> None:
    async def use(engine: Engine) -> None:
        name = json.loads(await engine.predict_row(row_body(make_rows(1)[0])))["prediction_id"]
        outcome = {"prediction_id": name, "outcome": "Introvert"}
        assert json.loads(await engine.feedback(json.dumps(outcome).encode())) == {"stored": 1}
        both = {"outcomes": [outcome, {"prediction_id": "none", "outcome": "Introvert"}]}
        with pytest.raises(InvalidRequest, match=r"outcomes\[1\]\.prediction_id: no such prediction"):
            await engine.feedback(json.dumps(both).encode())
        with pytest.raises(InvalidRequest, match="outcome: expected one of Extrovert, Introvert"):
            await engine.feedback(json.dumps({**outcome, "outcome": "introvert"}).encode())
        with engine.state.reading() as connection:
            stored = list(connection.execute(select(outcomes)))
        assert [(row.prediction_id, row.outcome, row.source) for row in stored] == [(name, "Introvert", "api")]

    run_with_engine(project, use)


def test_a_full_queue_refuses_requests(project: Path) -> None:
    async def use(engine: Engine) -> list[Any]:
        requests = (engine.predict_row(row_body(row)) for row in make_rows(200))
        return list(await asyncio.gather(*requests, return_exceptions=True))

    responses = run_with_engine(project, use, max_queue_rows=1)
    refused = [response for response in responses if isinstance(response, NotReady)]
    assert refused
    assert len(refused) + len(logged_rows(project)) == 200


def test_sampled_rows_have_the_inverse_sample_rate_as_weight(project: Path) -> None:
    rows = make_rows(2000)
    body = run_with_engine(project, lambda engine: engine.predict_batch(batch_body(rows)), sample_rate=0.25)
    logged = logged_rows(project)
    assert 350 < len(logged) < 650
    assert {row.weight for row in logged} == {4.0}
    items = {item["prediction_id"]: (number, item) for number, item in enumerate(json.loads(body)["predictions"])}
    for row in logged:
        number, item = items[row.prediction_id]
        expected = {name: value for name, value in rows[number].items() if value is not None}
        features = {name: value for name, value in json.loads(row.features).items() if value is not None}
        assert (row.prediction, row.confidence, features) == (item["prediction"], item["confidence"], expected)


def test_a_batch_without_sampled_rows_gets_predictions(project: Path) -> None:
    async def use(engine: Engine) -> list[Any]:
        return [json.loads(await engine.predict_batch(batch_body(make_rows(1)))) for _ in range(20)]

    responses = run_with_engine(project, use, sample_rate=0.01)
    assert [len(batch["predictions"]) for batch in responses] == [1] * 20
    assert len(logged_rows(project)) < 5


def test_without_a_log_nothing_is_written(project: Path) -> None:
    response = run_with_engine(project, lambda engine: engine.predict_row(row_body(make_rows(1)[0])), mode="none")
    assert json.loads(response)["prediction_id"]
    assert logged_rows(project) == []


def test_more_rows_than_allowed_are_refused(project: Path) -> None:
    with pytest.raises(InvalidRequest, match="has 6 rows; a request accepts at most 5"):
        run_with_engine(
            project, lambda engine: engine.predict_batch(batch_body(make_rows(6))), engine=engine_settings(max_rows=5)
        )


def test_an_engine_that_was_never_started_closes_and_is_not_ready(tmp_path: Path) -> None:
    engine = make_engine(tmp_path)
    asyncio.run(engine.close())
    assert engine.ready() == Readiness(is_ready=False, reason="the engine was not started")
    assert (engine.status()["active"], engine.status()["queue_rows"]) == (None, 0)
    with pytest.raises(NotReady, match="the engine was not started"):
        _ = engine.state


def test_an_engine_that_cannot_start_leaves_no_connection_open(project: Path) -> None:
    key = project / paths.LOG_HASH_KEY
    key.write_bytes(b"cut")
    key.chmod(0o600)
    with pytest.raises(IntegrityError, match="the hash key of the log"):
        asyncio.run(make_engine(project).start())
    assert take_leaked_connections() == []


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
        return (await engine.predict_columns(columns, LogOptions(key="k"))).prediction_ids

    assert run_with_engine(project, ask) == run_with_engine(project, ask)
    with pytest.raises(IdempotencyConflict, match="this key belongs to another request"):
        run_with_engine(project, lambda engine: engine.predict_columns(reordered, LogOptions(key="k")))


def test_two_requests_in_progress_with_one_key_need_the_same_body(project: Path) -> None:
    row, other = (row_body(features) for features in make_rows(2))

    async def use(engine: Engine) -> list[Any]:
        requests = (engine.predict_row(body, LogOptions(key="k")) for body in (row, row, other))
        return list(await asyncio.gather(*requests, return_exceptions=True))

    first, retry, conflict = run_with_engine(project, use)
    assert first == retry
    assert isinstance(conflict, IdempotencyConflict)
    assert len(logged_rows(project)) == 1


def test_a_key_or_subject_with_unusual_characters_is_refused(project: Path) -> None:
    body = row_body(make_rows(1)[0])

    async def use(engine: Engine) -> None:
        for word in ("", "x" * 201, "tab\t", "é"):
            with pytest.raises(InvalidRequest, match="Idempotency-Key: expected 1 to 200 printable ASCII characters"):
                await engine.predict_row(body, LogOptions(key=word))
            with pytest.raises(InvalidRequest, match="subject: expected 1 to 200 printable ASCII characters"):
                await engine.predict_row(body, LogOptions(subject=word))

    run_with_engine(project, use)
