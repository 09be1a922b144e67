"""Viewers read trials, and an operator stops the traffic of one on every server."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.errors import Conflict, MlopsError
from pipeline.serving.http.authentication import Principal
from pipeline.serving.http.messages import HttpRequest
from pipeline.serving.http.problems import HttpProblem
from pipeline.serving.http.trial_endpoints import TrialEndpoints
from pipeline.serving.serving_errors import InvalidRequest
from tests.fixtures.registered_project import NAME, make_engine, open_canary, step_trial

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from pipeline.serving.http.messages import HttpResponse

pytestmark = pytest.mark.usefixtures("heavy_computation")

ADA = Principal.from_roles("ada", ("operator",))


def make_request(trial: str = "1", body: bytes = b'{"reason": "too, slow"}') -> HttpRequest:
    return HttpRequest("POST", "", b"", {}, "id", ADA, {"trial": trial}, body)


def call(
    project: Path, handler: Callable[[TrialEndpoints, HttpRequest], Awaitable[HttpResponse]], *requests: HttpRequest
) -> list[Any]:
    """Return the response of an endpoint of one started engine to each request, or the error."""

    async def run() -> list[Any]:
        engine = make_engine(project)
        await engine.start()
        results: list[Any] = []
        for request in requests:
            try:
                body = json.loads((await handler(TrialEndpoints(engine), request)).body)
                results.append({**body, "status": engine.status()["trial"]})
            except (HttpProblem, MlopsError) as error:
                results.append(error)
        await engine.close()
        return results

    return asyncio.run(run())


def test_an_operator_stops_the_traffic_of_a_trial_with_a_reason(project: Path) -> None:
    open_canary(project)
    texts = ["[]", "{}", '{"reason": ""}', '{"reason": 1}', '{"reason": "a", "b": 1}', r'{"reason": "\ud800"}']
    bodies = [text.encode() for text in texts]
    requests = [make_request(body=body) for body in bodies]
    *refused, response = call(project, TrialEndpoints.stop_trial, *requests, make_request())
    assert [type(error) for error in refused] == [InvalidRequest] * len(bodies)
    assert response["traffic"]["stop_reason"] == response["status"]["stop_reason"] == "ada stopped it: too, slow"
    assert {server["state"] for server in response["traffic"]["servers"]} == {"stopped"}
    assert response["state"] == "canary"  # the loop or `mlops trial stop` decides
    assert "salt" not in response


def test_trials_are_read_by_number_without_the_salt(project: Path) -> None:
    trial = open_canary(project)
    step_trial(project, trial, state="aborted", decided_at=5)
    open_canary(project)
    words = ["7", "one", "-1", "9" * 30, "²"]
    first, *missing = call(project, TrialEndpoints.trial, *map(make_request, ["1", *words]))
    assert (first["state"], first["traffic"]["servers"], "salt" in first) == ("aborted", [], False)
    assert [str(error) for error in missing] == [f"{NAME} has no trial of this number; `GET /v1/trials` lists them"] * 5
    [listed] = call(project, TrialEndpoints.trials, make_request())
    assert [(found["seq"], found["state"], "salt" in found) for found in listed["trials"]] == [
        (2, "canary", False),
        (1, "aborted", False),
    ]


def test_a_trial_without_traffic_is_not_stopped(project: Path) -> None:
    step_trial(project, open_canary(project), state="won", decided_at=5)
    [error] = call(project, TrialEndpoints.stop_trial, make_request())
    assert isinstance(error, Conflict)
    assert "trial 1 is won: its challenger gets no requests" in str(error)
