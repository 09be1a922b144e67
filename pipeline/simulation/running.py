"""Send a scenario phase by phase at its rate, tell outcomes when they are due, and count what became of all."""

from __future__ import annotations

import heapq
import itertools
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.simulation.moving import plan_movements
from pipeline.simulation.totals import PhaseTally, PhaseTotals, Totals
from pipeline.simulation.traffic import requests

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.config.groups.scenario import PhaseConfig, ScenarioConfig
    from pipeline.simulation.sending import Server
    from pipeline.simulation.traffic import Pool, Request

    Told = Callable[[str], None]

__all__ = ["simulate"]

_THREADS = 16
_WAITING = 64  # requests under way or waiting for a thread; beyond it the sender falls behind its rate
_OUTCOMES_AT_ONCE = 1000
_TELL_EVERY_S = 0.1
_SAY_EVERY_S = 1.0
_SECOND_TELLING = 1.25  # of the delay


def simulate(scenario: ScenarioConfig, pool: Pool, server: Server, *, speed: float = 1.0, told: Told) -> Totals:
    """Send everything that a scenario declares and return the totals; an interrupt (Ctrl-C) ends it early, in order.

    Parameters
    ----------
    scenario : ScenarioConfig
    pool : Pool
        Rows to draw from.
    server : Server
    speed : float above 0
        2 sends the same rows in half of the time: rates double, lengths and delays halve.
    told : callable
        Is given a line of progress about once a second.

    Raises
    ------
    ConfigError
        When a change does not fit the rows; before anything is sent.
    """
    for phase in scenario.phases:
        plan_movements(phase.changes, pool.schema, pool.rows)
    run = _Run(scenario, pool, server, speed, told)
    is_interrupted = False
    try:
        for number, phase in enumerate(scenario.phases):
            run.phase(number, phase)
        run.wait_for_outcomes()
    except KeyboardInterrupt:
        is_interrupted = True
    return run.end(is_interrupted=is_interrupted)


@dataclass
class _Run:
    """One scenario under way."""

    scenario: ScenarioConfig
    pool: Pool
    server: Server
    speed: float
    told: Told
    done: list[PhaseTotals] = field(default_factory=list)
    current: PhaseTally | None = None

    def __post_init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="sender")
        self._slots = threading.BoundedSemaphore(_WAITING)
        self._outcomes = _Outcomes(self.server, self.scenario.outcomes.delay_s / self.speed)
        self._said_at = 0.0

    def phase(self, number: int, phase: PhaseConfig) -> None:
        """Send the rows of one phase, each request when it is due."""
        rate = phase.rows_per_s if phase.rows_per_s is not None else self.scenario.rows_per_s
        n_rows, at_once = round(rate * phase.seconds), self.scenario.rows_per_request
        began = time.monotonic()
        tally = self.current = PhaseTally(phase.name, time.time())
        seed = [self.scenario.seed, 1, number]
        for position, request in enumerate(
            requests(self.pool, phase, self.scenario.outcomes, n_rows=n_rows, rows_per_request=at_once, seed=seed)
        ):
            self._wait_until(began + position * at_once / (rate * self.speed), phase, n_rows)
            self._slots.acquire()
            self._threads.submit(self._send, tally, request)
        self._wait_until(began + phase.seconds / self.speed, phase, n_rows)
        self._drain()
        self._finish(tally)

    def _wait_until(self, due: float, phase: PhaseConfig, n_rows: int) -> None:
        while True:
            now = time.monotonic()
            if now - self._said_at >= _SAY_EVERY_S and self.current is not None:
                self._said_at = now
                rows = self.current.rows
                self.told(
                    f"{phase.name}: {self.current.n_sent:,} of {n_rows:,} rows, {rows['refused']:,} refused,"
                    f" {rows['failed']:,} failed; {self._outcomes.n_told:,} outcomes told"
                )
            if due <= now:
                return
            time.sleep(min(due - now, _SAY_EVERY_S))

    def _send(self, tally: PhaseTally, request: Request) -> None:
        try:
            reply = self.server.post(request.path, request.body)
            tally.add(request.n_rows, reply)
            if reply.is_answer and request.tellings:
                self._outcomes.follow(reply.body, request)
        finally:
            self._slots.release()

    def _drain(self) -> None:
        """Wait until every request that was sent has ended."""
        for _ in range(_WAITING):
            self._slots.acquire()
        for _ in range(_WAITING):
            self._slots.release()

    def _finish(self, tally: PhaseTally) -> None:
        self.done.append(tally.totals(time.time()))
        self.current = None

    def wait_for_outcomes(self) -> None:
        """Wait for outcomes that are told late."""
        while self._outcomes.n_waiting:
            if time.monotonic() - self._said_at >= _SAY_EVERY_S:
                self._said_at = time.monotonic()
                self.told(f"{self._outcomes.n_waiting:,} outcomes are still to come")
            time.sleep(_TELL_EVERY_S)

    def end(self, *, is_interrupted: bool) -> Totals:
        """Stop every thread and return the totals."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._outcomes.close()
        if self.current is not None:
            self._finish(self.current)
        tallied = self._outcomes
        return Totals(tuple(self.done), tallied.n_told, tallied.n_refused, tallied.n_waiting, is_interrupted)


class _Outcomes:
    """Tells outcomes when they are due, in a thread of its own."""

    def __init__(self, server: Server, delay_s: float) -> None:
        self._server, self._delay_s = server, delay_s
        self._due: list[tuple[float, int, str, str]] = []
        self._order = itertools.count()
        self._lock, self._is_over = threading.Lock(), threading.Event()
        self.n_told = self.n_refused = self._n_under_way = 0
        self._thread = threading.Thread(target=self._work, name="outcomes", daemon=True)
        self._thread.start()

    @property
    def n_waiting(self) -> int:
        """Outcomes that are not told yet."""
        with self._lock:
            return len(self._due) + self._n_under_way

    def follow(self, body: Any, request: Request) -> None:
        """Remember what is to be told of the rows of an answer."""
        answers = body.get("predictions", [body])
        now = time.monotonic()
        with self._lock:
            for answer, telling in zip(answers, request.tellings, strict=True):
                for place, outcome in enumerate(telling.outcomes):
                    late = self._delay_s * _SECOND_TELLING**place + place * _TELL_EVERY_S
                    word = outcome if isinstance(outcome, str) else _drawn(answer["probabilities"], outcome)
                    heapq.heappush(self._due, (now + late, next(self._order), answer["prediction_id"], word))

    def close(self) -> None:
        """Stop; what is not told yet stays untold."""
        self._is_over.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._is_over.wait(_TELL_EVERY_S):
            while ready := self._take():
                outcomes = [{"prediction_id": one, "outcome": word, "source": "simulate"} for one, word in ready]
                reply = self._server.post("/feedback", json.dumps({"outcomes": outcomes}).encode())
                with self._lock:
                    self._n_under_way = 0
                    self.n_told += len(ready) if reply.is_answer else 0
                    self.n_refused += 0 if reply.is_answer else len(ready)

    def _take(self) -> list[tuple[str, str]]:
        now = time.monotonic()
        ready: list[tuple[str, str]] = []
        with self._lock:
            while self._due and self._due[0][0] <= now and len(ready) < _OUTCOMES_AT_ONCE:
                _, _, one, word = heapq.heappop(self._due)
                ready.append((one, word))
            self._n_under_way = len(ready)
        return ready


def _drawn(probabilities: dict[str, float], chance: float) -> str:
    """Return the class that a number between 0 and 1 falls on."""
    passed = 0.0
    for name, share in probabilities.items():
        passed += share
        if chance < passed:
            return name
    return list(probabilities)[-1]
