"""A challenger that fails or is slow harms no caller, and is soon stopped on every server."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pipeline.serving.canary_facts import read_canary_facts
from pipeline.serving.line_up import position_of
from pipeline.serving.log_options import LogOptions
from pipeline.state import TrialServer, put_trial_server
from tests.fixtures.registered_project import make_engine, make_rows, open_canary, row_body, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from pipeline.serving import Engine
    from pipeline.serving.loaded_model import LoadedModel

pytestmark = pytest.mark.usefixtures("heavy_computation")

SHARE = 0.05
SUBJECTS = [f"subject-{number}" for number in range(3_000)]
OF_CHALLENGER = [subject for subject in SUBJECTS if position_of(subject, salt="salt") < SHARE]
OF_CHAMPION = [subject for subject in SUBJECTS if position_of(subject, salt="salt") >= SHARE]


class FaultyEstimator:
    """An estimator that fails in a share of its calls, or takes longer."""

    def __init__(self, estimator: Any, *, failing: float = 0.0, delay_s: float = 0.0) -> None:
        self.takes_float32 = True
        self._estimator = estimator
        self._failing = failing
        self._delay_s = delay_s
        self._random = np.random.default_rng(5)

    def predict_proba(self, rows: NDArray[Any]) -> NDArray[Any]:
        time.sleep(self._delay_s)
        if self._random.random() < self._failing:
            raise ValueError("the estimator is broken")
        probabilities: NDArray[Any] = self._estimator.predict_proba(rows)
        return probabilities


FAULTS = {"raises": {"failing": 1.0}, "fails in one of five": {"failing": 0.2}, "100 ms slower": {"delay_s": 0.1}}


def make_faulty_engine(root: Path, fault: dict[str, float]) -> Engine:
    def break_challenger(model: LoadedModel) -> None:
        if model.version == 2:
            classifier = model.package.serving_classifier
            object.__setattr__(classifier, "estimator", FaultyEstimator(classifier.estimator, **fault))

    engine = make_engine(root, engine=None)
    engine.verify = break_challenger
    return engine


async def predict(engine: Engine, subject: str, row: dict[str, Any]) -> dict[str, Any]:
    response: dict[str, Any] = json.loads(await engine.predict_row(row_body(row), LogOptions(subject=subject)))
    return response


def stop_reason(engine: Engine) -> str | None:
    reason: str | None = engine.status()["trial"]["stop_reason"]
    return reason


@pytest.mark.parametrize(
    ("fault", "n_servers", "n_champion"),
    [("raises", 3, 3), ("fails in one of five", 1, 3), ("100 ms slower", 1, 140)],
)
def test_a_faulty_challenger_is_stopped_and_callers_see_no_error(
    project: Path, fault: str, n_servers: int, n_champion: int
) -> None:
    trial = open_canary(project, share=SHARE)
    rows = make_rows(len(OF_CHALLENGER))

    async def run() -> None:
        engines = [make_faulty_engine(project, FAULTS[fault]) for _ in range(n_servers)]
        for engine in engines:
            await engine.start()
        first = engines[0]
        for subject, row in zip(OF_CHAMPION[:n_champion], make_rows(n_champion), strict=True):
            assert (await predict(first, subject, row))["variant"] == "champion"
        n_assigned = 0
        for subject, row in zip(OF_CHALLENGER, rows, strict=True):
            if stop_reason(first) is not None:
                break
            await predict(first, subject, row)
            n_assigned += 1
        assert n_assigned <= 20
        await wait_until(lambda: all(stop_reason(engine) is not None for engine in engines))
        after = [await predict(engine, subject, rows[0]) for engine in engines for subject in OF_CHALLENGER[-3:]]
        assert {prediction["variant"] for prediction in after} == {"champion"}
        await first.reload()  # writes what the guard decided since the last poll
        facts = read_canary_facts(first.state, trial)
        assert facts.stop_reason == stop_reason(first) == stop_reason(engines[-1])
        assert ("failed in" in str(facts.stop_reason)) == (fault != "100 ms slower")
        for engine in engines:
            await engine.close()

    asyncio.run(run())


def test_a_stored_response_is_returned_whatever_predicts_now(project: Path) -> None:
    open_canary(project, share=1.0)
    row = make_rows(1)[0]
    columns = {name: [value] for name, value in row.items()}

    async def run() -> None:
        engine = make_engine(project)
        await engine.start()
        first = await engine.predict_row(row_body(row), LogOptions(key="a"))
        batch = await engine.predict_columns(columns, LogOptions(key="b"))
        assert (json.loads(first)["variant"], batch.variant, batch.model_version) == ("challenger", "challenger", 2)
        pinned = await engine.predict_columns(columns, is_pinned=True)
        assert (pinned.variant, pinned.model_version) == ("champion", 1)
        with engine.state.writing() as connection:
            at = engine.state.clock()
            put_trial_server(connection, TrialServer(1, "operator", "stopped", "ada stopped it", at, at))
        await engine.reload()
        assert await engine.predict_row(row_body(row), LogOptions(key="a")) == first
        retried = await engine.predict_columns(columns, LogOptions(key="b"))
        assert (retried.variant, retried.prediction_ids) == ("challenger", batch.prediction_ids)
        assert json.loads(await engine.predict_row(row_body(row), LogOptions(key="c")))["variant"] == "champion"
        with engine.state.reading() as connection:
            logged = connection.exec_driver_sql("SELECT variant, version FROM predictions ORDER BY seq").all()
        assert [tuple(found) for found in logged] == [
            ("challenger", 2), ("challenger", 2), ("champion", 1), ("champion", 1)
        ]  # fmt: skip
        await engine.close()

    asyncio.run(run())
