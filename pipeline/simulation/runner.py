"""Send the phases of a scenario at their rates, send delayed outcomes, and count the responses."""

from __future__ import annotations

import heapq
import itertools
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.simulation.drift_injection import plan_condition, plan_drift_injections
from pipeline.simulation.simulation_result import PhaseCounter, PhaseResult, SimulationResult
from pipeline.simulation.traffic import generate_requests
from pipeline.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.config.groups.scenario_config import PhaseConfig, ScenarioConfig
    from pipeline.simulation.server_client import ServerClient
    from pipeline.simulation.traffic import RowPool, SimulatedRequest

    ReportProgress = Callable[[str], None]

__all__ = ["run_scenario"]

_N_SENDER_THREADS = 16
_MAX_PENDING_REQUESTS = 64  # in flight or waiting for a thread; above it the sender falls behind its rate
_MAX_OUTCOMES_PER_REQUEST = 1000
_OUTCOME_INTERVAL_S = 0.1
_PROGRESS_INTERVAL_S = 1.0
_RESEND_DELAY_FACTOR = 1.25  # of the delay


def run_scenario(
    scenario: ScenarioConfig,
    pool: RowPool,
    server: ServerClient,
    *,
    callers: Sequence[ServerClient] = (),
    speed: float = 1.0,
    on_progress: ReportProgress,
) -> SimulationResult:
    """Send the traffic of a scenario and return the totals; Ctrl-C ends it early with the totals so far.

    Parameters
    ----------
    scenario : ScenarioConfig
    pool : RowPool
        Rows to sample from.
    server : ServerClient
    callers : sequence of ServerClient
        Clients that send the outcomes, one for each caller; with fewer of them, callers share one.
    speed : float above 0
        2 sends the same rows in half the time: rates double, durations and delays halve.
    on_progress : callable
        Receives a line of progress about once a second.

    Raises
    ------
    ConfigError
        When a change does not fit the rows; no request was sent.
    """
    for phase in scenario.phases:
        plan_drift_injections(phase.changes, pool.schema, pool.rows)
        if phase.flipped_outcome_where is not None:
            plan_condition(phase.flipped_outcome_where, pool.schema, pool.rows)
    run = _ScenarioRun(scenario, pool, server, callers or (server,), speed, on_progress)
    is_interrupted = False
    try:
        for number, phase in enumerate(scenario.phases):
            run.run_phase(number, phase)
        run.wait_for_outcomes()
    except KeyboardInterrupt:
        is_interrupted = True
    return run.finish(is_interrupted=is_interrupted)


@dataclass
class _ScenarioRun:
    """One running scenario."""

    scenario: ScenarioConfig
    pool: RowPool
    server: ServerClient
    callers: Sequence[ServerClient]
    speed: float
    on_progress: ReportProgress
    finished_phases: list[PhaseResult] = field(default_factory=list)
    current_phase: PhaseCounter | None = None

    def __post_init__(self) -> None:
        self._threads = ThreadPoolExecutor(_N_SENDER_THREADS, thread_name_prefix="sender")
        self._pending_requests = threading.BoundedSemaphore(_MAX_PENDING_REQUESTS)
        self._outcome_sender = _OutcomeSender(self.callers, self.scenario.outcomes.delay_s / self.speed)
        self._last_progress_at = 0.0

    def run_phase(self, number: int, phase: PhaseConfig) -> None:
        """Send the requests of one phase, each at its due time."""
        rate = phase.rows_per_s if phase.rows_per_s is not None else self.scenario.rows_per_s
        n_rows, rows_per_request = round(rate * phase.seconds), self.scenario.rows_per_request
        started_at = time.monotonic()
        counter = self.current_phase = PhaseCounter(phase.name, time.time())
        seed = [self.scenario.seed, 1, number]
        for position, request in enumerate(
            generate_requests(
                self.pool, phase, self.scenario.outcomes, n_rows=n_rows, rows_per_request=rows_per_request, seed=seed
            )
        ):
            self._wait_until(started_at + position * rows_per_request / (rate * self.speed), phase, n_rows)
            self._pending_requests.acquire()
            self._threads.submit(self._send_request, counter, request)
        self._wait_until(started_at + phase.seconds / self.speed, phase, n_rows)
        self._wait_for_requests()
        self._finish_phase(counter)

    def _wait_until(self, due_at: float, phase: PhaseConfig, n_rows: int) -> None:
        while True:
            now = time.monotonic()
            if now - self._last_progress_at >= _PROGRESS_INTERVAL_S and self.current_phase is not None:
                self._last_progress_at = now
                rows = self.current_phase.n_rows_by_result
                self.on_progress(
                    f"{phase.name}: {self.current_phase.n_rows_sent:,} of {n_rows:,} rows, {rows['refused']:,} refused,"
                    f" {rows['failed']:,} failed; {self._outcome_sender.n_sent:,} outcomes sent"
                )
            if due_at <= now:
                return
            time.sleep(min(due_at - now, _PROGRESS_INTERVAL_S))

    def _send_request(self, counter: PhaseCounter, request: SimulatedRequest) -> None:
        try:
            response = self.server.post(request.path, request.body)
            counter.add_response(request.n_rows, response)
            if response.is_success and request.delayed_outcomes:
                self._outcome_sender.schedule(response.body, request)
        finally:
            self._pending_requests.release()

    def _wait_for_requests(self) -> None:
        """Wait until all sent requests have ended."""
        for _ in range(_MAX_PENDING_REQUESTS):
            self._pending_requests.acquire()
        for _ in range(_MAX_PENDING_REQUESTS):
            self._pending_requests.release()

    def _finish_phase(self, counter: PhaseCounter) -> None:
        self.finished_phases.append(counter.to_result(time.time()))
        self.current_phase = None

    def wait_for_outcomes(self) -> None:
        """Wait until all delayed outcomes are sent."""
        while self._outcome_sender.n_pending:
            if time.monotonic() - self._last_progress_at >= _PROGRESS_INTERVAL_S:
                self._last_progress_at = time.monotonic()
                self.on_progress(f"{pluralize(self._outcome_sender.n_pending, 'outcome')} pending")
            time.sleep(_OUTCOME_INTERVAL_S)

    def finish(self, *, is_interrupted: bool) -> SimulationResult:
        """Stop all threads and return the totals."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._outcome_sender.close()
        if self.current_phase is not None:
            self._finish_phase(self.current_phase)
        sender = self._outcome_sender
        return SimulationResult(
            tuple(self.finished_phases),
            n_outcomes_sent=sender.n_sent,
            n_outcomes_refused=sender.n_refused,
            n_outcomes_unsent=sender.n_pending,
            is_interrupted=is_interrupted,
        )


class _OutcomeSender:
    """Sends outcomes at their due times, in its own thread."""

    def __init__(self, callers: Sequence[ServerClient], delay_s: float) -> None:
        self._callers, self._delay_s = callers, delay_s
        self._scheduled: list[tuple[float, int, int, str, str]] = []
        self._order = itertools.count()
        self._lock, self._stop_event = threading.Lock(), threading.Event()
        self.n_sent = self.n_refused = self._n_in_flight = 0
        self._thread = threading.Thread(target=self._send_until_stopped, name="outcomes", daemon=True)
        self._thread.start()

    @property
    def n_pending(self) -> int:
        """Number of outcomes not sent yet."""
        with self._lock:
            return len(self._scheduled) + self._n_in_flight

    def schedule(self, body: Any, request: SimulatedRequest) -> None:
        """Schedule the outcomes of the predictions in a response."""
        predictions = body.get("predictions", [body])
        now = time.monotonic()
        with self._lock:
            for prediction, delayed in zip(predictions, request.delayed_outcomes, strict=True):
                for position, outcome in enumerate(delayed.outcomes):
                    delay_s = self._delay_s * _RESEND_DELAY_FACTOR**position + position * _OUTCOME_INTERVAL_S
                    label = outcome if isinstance(outcome, str) else _draw_class(prediction["probabilities"], outcome)
                    entry = (now + delay_s, next(self._order), request.caller, prediction["prediction_id"], label)
                    heapq.heappush(self._scheduled, entry)

    def close(self) -> None:
        """Stop; pending outcomes are not sent."""
        self._stop_event.set()
        self._thread.join()

    def _send_until_stopped(self) -> None:
        while not self._stop_event.wait(_OUTCOME_INTERVAL_S):
            while ready := self._take_due():
                for caller in sorted({caller for caller, _, _ in ready}):
                    self._send([(key, label) for number, key, label in ready if number == caller], caller)
                with self._lock:
                    self._n_in_flight = 0

    def _send(self, labels: list[tuple[str, str]], caller: int) -> None:
        """Send outcomes of one caller in one request."""
        outcomes = [{"prediction_id": key, "outcome": label, "source": "simulate"} for key, label in labels]
        client = self._callers[caller % len(self._callers)]
        response = client.post("/feedback", json.dumps({"outcomes": outcomes}).encode())
        with self._lock:
            self.n_sent += len(labels) if response.is_success else 0
            self.n_refused += 0 if response.is_success else len(labels)

    def _take_due(self) -> list[tuple[int, str, str]]:
        """Return the outcomes to send now: caller, prediction and class."""
        now = time.monotonic()
        ready: list[tuple[int, str, str]] = []
        with self._lock:
            while self._scheduled and self._scheduled[0][0] <= now and len(ready) < _MAX_OUTCOMES_PER_REQUEST:
                _, _, caller, prediction_id, label = heapq.heappop(self._scheduled)
                ready.append((caller, prediction_id, label))
            self._n_in_flight = len(ready)
        return ready


def _draw_class(probabilities: dict[str, float], chance: float) -> str:
    """Return the class at a cumulative probability between 0 and 1."""
    cumulative = 0.0
    for name, share in probabilities.items():
        cumulative += share
        if chance < cumulative:
            return name
    return list(probabilities)[-1]
