"""The endpoints of trials: list them, show what the servers count during one, and stop one that takes traffic."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline import state as store
from pipeline.errors import Conflict, UsageError
from pipeline.serving.canary_facts import read_canary_facts
from pipeline.serving.http.engine_responses import to_json
from pipeline.serving.http.messages import HttpResponse
from pipeline.serving.http.problems import HttpProblem
from pipeline.serving.http.router import JSON_ONLY, route
from pipeline.serving.rows.row_parser import parse_json
from pipeline.serving.serving_errors import InvalidRequest
from pipeline.state import TRAFFIC_STATES, TrialServer

if TYPE_CHECKING:
    from pipeline.serving.engine import Engine
    from pipeline.serving.http.messages import HttpRequest
    from pipeline.state import Trial

__all__ = ["TrialEndpoints"]

_TRIAL = "/v1/trials/{trial}"
_MAX_REASON_LENGTH = 500
_REASON = re.compile(rf"[^\x00-\x1f\x7f\ud800-\udfff]{{1,{_MAX_REASON_LENGTH}}}")
_MAX_DIGITS = 18


@dataclass(frozen=True, slots=True)
class TrialEndpoints:
    """The trials of the model of one engine."""

    engine: Engine

    @route(
        "GET",
        "/v1/trials",
        role="viewer",
        tag="trials",
        response="Trials",
        summary="List the trials of the model, the newest first",
    )
    async def trials(self, _request: HttpRequest) -> HttpResponse:
        """List the trials."""
        trials = await asyncio.to_thread(self._read_trials)
        return HttpResponse(to_json({"trials": [_plain(trial) for trial in reversed(trials)]}))

    @route(
        "GET",
        _TRIAL,
        role="viewer",
        tag="trials",
        response="Trial",
        summary="Return a trial, with what all servers count during it",
    )
    async def trial(self, request: HttpRequest) -> HttpResponse:
        """Return one trial."""
        return HttpResponse(to_json(await asyncio.to_thread(self._describe, request)))

    @route(
        "POST",
        f"{_TRIAL}/stop",
        name="stop_trial",
        role="operator",
        accepts=JSON_ONLY,
        tag="trials",
        request="TrialStop",
        response="Trial",
        summary="Give the challenger of a trial no more requests, on every server",
    )
    async def stop_trial(self, request: HttpRequest) -> HttpResponse:
        """Stop the traffic of a trial; the loop or `mlops trial stop` then decides it."""
        await asyncio.to_thread(self._stop, request, _reason_of(request.body))
        if self.engine.loaded_model is not None:
            await self.engine.reload()
        return HttpResponse(to_json(await asyncio.to_thread(self._describe, request)))

    def _read_trials(self) -> list[Trial]:
        with self.engine.state.reading() as connection:
            return store.read_trials(connection, self.engine.model)

    def _describe(self, request: HttpRequest) -> dict[str, Any]:
        trial = self._find(request)
        if trial.step == 0:
            return {**_plain(trial), "traffic": None}
        return {**_plain(trial), "traffic": read_canary_facts(self.engine.state, trial).as_dict()}

    def _find(self, request: HttpRequest) -> Trial:
        word, model = request.path_params["trial"], self.engine.model
        missing = HttpProblem("not-found", f"{model} has no trial of this number; `GET /v1/trials` lists them")
        if not (word.isascii() and word.isdigit() and len(word) <= _MAX_DIGITS):
            raise missing
        try:
            with self.engine.state.reading() as connection:
                trial = store.find_trial(connection, int(word))
        except UsageError as error:
            raise missing from error
        if trial.model != model:
            raise missing
        return trial

    def _stop(self, request: HttpRequest, reason: str) -> None:
        trial = self._find(request)
        if trial.state not in TRAFFIC_STATES:
            raise Conflict(
                f"trial {trial.seq} is {trial.state}: its challenger gets no requests;"
                f" `mlops trial stop {trial.seq} --reason ...` ends an open trial"
            )
        caller = request.principal.id or "operator"
        at = self.engine.state.clock()
        stopped = TrialServer(trial.seq, f"api {caller}"[:200], "stopped", f"{caller} stopped it: {reason}", at, at)
        with self.engine.state.writing() as connection:
            store.put_trial_server(connection, stopped)


def _plain(trial: Trial) -> dict[str, Any]:
    """Return a trial without the salt, which assigns subjects."""
    return {name: value for name, value in trial.as_dict().items() if name != "salt"}


def _reason_of(body: bytes) -> str:
    """Return the reason of a body `{"reason": "..."}`."""
    value = parse_json(body, max_commas=_MAX_REASON_LENGTH)
    if not isinstance(value, dict) or set(value) != {"reason"}:
        raise InvalidRequest.for_field("body", "object", 'expected {"reason": "..."}')
    reason = value["reason"]
    if not (isinstance(reason, str) and _REASON.fullmatch(reason)):
        expected = f"expected 1 to {_MAX_REASON_LENGTH} characters in one line"
        raise InvalidRequest.for_field("reason", "text", expected)
    return reason
