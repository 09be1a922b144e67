"""The one thread that predicts and writes the log: whatever requests wait are answered and committed together.

An answer is handed out when its rows are committed and synced. While a group is on its way to the disk the
next one gathers, so the groups are as large as the load asks for, and nobody waits for company. What arrives in one
turn of the event loop is handed over at its end: a thread that is woken for each request would fight the loop for
the interpreter. Without a log, small groups are answered by the loop itself, and a row that came before at once.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pipeline.errors import DependencyUnavailable
from pipeline.serving.answering import Answered, Answerer, Work
from pipeline.serving.contracts import BodyRefused, NotReady, Problem
from pipeline.state import KeyTaken, StoredAnswer
from pipeline.words import pluralize

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from pipeline.config.groups.serving import PredictionLogConfig
    from pipeline.serving.bundle import Bundle
    from pipeline.state import Journal

__all__ = ["LogWriter", "Tally", "Watch"]

_MAX_GROUP = 20_000
_PAUSE_S = 1.0
# Rows without a log that may hold up the event loop, once and not beside others.
_ON_LOOP_ROWS = 256
# Values that are counted sooner than they are made an array.
_FEW = 20

Outcome = Answered | BaseException


@dataclass
class Tally:
    """What was done since the start, for those who watch."""

    n_rows: int = 0
    n_logged: int = 0
    n_unlogged: int = 0
    n_groups: int = 0
    n_failures: int = 0
    by_class: Counter[str] = field(default_factory=Counter)
    # Rows by confidence: in [0, 0.1), [0.1, 0.2) ... [0.9, 1].
    by_confidence: list[int] = field(default_factory=lambda: [0] * 10)
    last_commit_s: float = 0.0
    last_error: str | None = None


class Watch(Protocol):
    """Somebody who wants to know what becomes of requests."""

    def submitted(self, work: Work) -> None:
        """Hear of a request that was handed over; called on the event loop."""

    def committed(self, works: Sequence[Work], began_s: float, scored_s: float, committed_s: float) -> None:
        """Hear of a group on the disk; called by the writer's thread, moments are those of `time.perf_counter`."""


class LogWriter:
    """Takes requests from the event loop and gives their answers back to it.

    Parameters
    ----------
    journal : Journal
        Where rows are committed; used by the writer's thread alone.
    config : LogConfig
    now : callable
        Returns the moment in microseconds since 1970, UTC.
    watch : Watch, optional
        Is told of each request and each group.
    """

    def __init__(self, journal: Journal, config: PredictionLogConfig, now: Callable[[], int], watch: Watch | None = None) -> None:
        self.tally = Tally()
        self._journal = journal
        self._config = config
        self._now = now
        self._watch = watch
        self._answerer = Answerer(sample=0.0 if config.mode == "none" else config.sample)
        self._queue: SimpleQueue[list[Work] | Callable[[Journal], None] | None] = SimpleQueue()
        self._arrived: list[Work] = []
        self._n_waiting = 0
        self._lock = threading.Lock()
        self._failed_at: float | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def n_waiting(self) -> int:
        """Rows that wait or are being written."""
        return self._n_waiting

    @property
    def is_failing(self) -> bool:
        """Whether the last group could not be written."""
        return self._failed_at is not None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start the thread; answers are given back on `loop`."""
        self._loop = loop
        self._thread = threading.Thread(target=self._run, name="prediction-log", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Answer what waits, then end the thread; blocks."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def at_once(self, bundle: Bundle, row: tuple[Any, ...]) -> bytes | None:
        """Return the answer to a row, for which neither log nor model is needed; None where either is."""
        if self._config.mode != "none" or self._watch is not None:
            return None
        answered = self._answerer.at_once(bundle, row)
        if answered is None:
            return None
        self._count((answered,), n_logged=0)
        return answered.body

    def submit(self, work: Work) -> None:
        """Queue a request; called on the event loop.

        Raises
        ------
        NotReady
            When too many rows wait already.
        """
        n_rows = len(work.rows.rows)
        with self._lock:
            if self._n_waiting and self._n_waiting + n_rows > self._config.queue_rows:
                said = f"{pluralize(self._n_waiting, 'row')} wait to be logged, and no more are taken; try again"
                raise NotReady(said, retry_after_s=1)
            self._n_waiting += n_rows
        if self._watch is not None:
            self._watch.submitted(work)
        if not self._arrived and self._loop is not None:
            self._loop.call_soon(self.hand_over)
        self._arrived.append(work)

    def hand_over(self) -> None:
        """Pass on what was submitted; called on the event loop, by itself at the end of each turn."""
        works, self._arrived = self._arrived, []
        if not works:
            return
        n_rows = sum(len(work.rows.rows) for work in works)
        # The thread has nothing to do when these are all that wait, so that the two never score at once.
        if self._config.mode == "none" and n_rows <= _ON_LOOP_ROWS and n_rows == self._n_waiting:
            outcomes = self._survived(works)
            self._n_waiting -= n_rows
            _settle(works, outcomes)
        else:
            self._queue.put(works)

    def between(self, task: Callable[[Journal], None]) -> None:
        """Run something with the journal between two groups; it looks after its own errors."""
        self._queue.put(task)

    def _run(self) -> None:
        is_open = True
        while is_open:
            works, tasks, is_open = self._gather()
            if works:
                self._give(works, self._survived(works))
            for task in tasks:
                task(self._journal)
        self._journal.close()

    def _gather(self) -> tuple[list[Work], list[Callable[[Journal], None]], bool]:
        works: list[Work] = []
        tasks: list[Callable[[Journal], None]] = []
        n_rows = 0
        item = self._queue.get()
        while True:
            if item is None:
                return works, tasks, False
            if isinstance(item, list):
                works += item
                n_rows += sum(len(work.rows.rows) for work in item)
            else:
                tasks.append(item)
            if n_rows >= _MAX_GROUP:
                return works, tasks, True
            try:
                item = self._queue.get_nowait()
            except Empty:
                return works, tasks, True

    def _give(self, works: list[Work], outcomes: Sequence[Outcome]) -> None:
        with self._lock:
            self._n_waiting -= sum(len(work.rows.rows) for work in works)
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_settle, works, outcomes)

    def _survived(self, works: list[Work]) -> Sequence[Outcome]:
        """Return an outcome for each request, whatever happens: without this thread nobody would be answered."""
        try:
            return self._handled(works)
        except Exception as error:  # noqa: BLE001 - handed to those who wait for it
            self.tally.n_failures += 1
            self.tally.last_error = str(error)
            return [error] * len(works)

    def _handled(self, works: list[Work]) -> Sequence[Outcome]:
        outcomes: Sequence[Outcome]
        if self._config.mode == "none":
            outcomes, _ = self._scored(works)
            self._count(outcomes, n_logged=0)
            return outcomes
        if self._failed_at is not None and time.monotonic() - self._failed_at < _PAUSE_S:
            return self._unlogged(works)
        try:
            outcomes, n_logged = self._logged(works)
        except DependencyUnavailable as error:
            self._failed_at = time.monotonic()
            self.tally.n_failures += 1
            self.tally.last_error = str(error)
            return self._unlogged(works)
        self._failed_at = None
        self._count(outcomes, n_logged=n_logged)
        return outcomes

    def _logged(self, works: list[Work]) -> tuple[Sequence[Outcome], int]:
        """Return answers whose rows are on the disk; a key that another server took in between is looked up again."""
        while True:
            known = self._known(works)
            fresh = [work for work in works if id(work) not in known]
            began = time.perf_counter()
            scored, kept = self._scored(fresh)
            rows = [one.row for one in kept if one.row is not None]
            groups = [one.group for one in kept if one.group is not None and one.group.n_rows]
            answers = [
                StoredAnswer(work.key, self._now(), work.digest, one.body.decode(), work.subject)
                for work, one in zip(fresh, scored, strict=True)
                if work.key is not None and isinstance(one, Answered)
            ]
            n_logged = len(rows) + sum(group.n_rows for group in groups)
            if not n_logged and not answers:
                break
            started = time.perf_counter()
            try:
                self._journal.append(rows, answers, groups)
            except KeyTaken:
                continue
            ended = time.perf_counter()
            self.tally.last_commit_s = ended - started
            if self._watch is not None:
                self._watch.committed(fresh, began, started, ended)
            break
        found = {**known, **{id(work): one for work, one in zip(fresh, scored, strict=True)}}
        return [found[id(work)] for work in works], n_logged

    def _known(self, works: list[Work]) -> dict[int, Outcome]:
        keys = [work.key for work in works if work.key is not None]
        if not keys:
            return {}
        stored = self._journal.answers(keys)
        found: dict[int, Outcome] = {}
        for work in works:
            answer = stored.get(work.key) if work.key is not None else None
            if answer is None:
                continue
            if answer.request == work.digest:
                found[id(work)] = Answered(answer.answer.encode())
            else:
                said = "this key belongs to another request; a retry sends the same body, a new request a new key"
                found[id(work)] = BodyRefused(422, [Problem("Idempotency-Key", "idempotency_key", said)])
        return found

    def _scored(self, works: list[Work]) -> tuple[list[Outcome], list[Answered]]:
        """Return an outcome for each request, and those that are answers; one that cannot be scored spoils no other."""
        if not works:
            return [], []
        try:
            answered = self._answerer.answer(works)
        except Exception as error:  # noqa: BLE001 - handed to whoever waits for it
            if len(works) == 1:
                return [error], []
            alone = [self._scored([work]) for work in works]
            return [one for outcomes, _ in alone for one in outcomes], [one for _, kept in alone for one in kept]
        return list(answered), answered

    def _unlogged(self, works: list[Work]) -> Sequence[Outcome]:
        if self._config.on_log_failure == "serve_unlogged":
            outcomes, _ = self._scored(works)
            n_rows = sum(len(work.rows.rows) for work in works)
            self.tally.n_unlogged += n_rows
            self._count(outcomes, n_logged=0)
            return outcomes
        said = "predictions cannot be logged now, and none is given that is not; try again"
        return [NotReady(said, retry_after_s=2)] * len(works)

    def _count(self, outcomes: Sequence[Outcome], *, n_logged: int) -> None:
        tally = self.tally
        tally.n_groups += 1
        tally.n_logged += n_logged
        for one in outcomes:
            if isinstance(one, Answered):
                tally.n_rows += len(one.labels)
                tally.by_class.update(one.labels)
                _count_tenths(one.confidences, tally.by_confidence)


def _count_tenths(confidences: Sequence[float], counts: list[int]) -> None:
    if len(confidences) <= _FEW:
        for confidence in confidences:
            counts[min(int(confidence * 10), 9)] += 1
        return
    tenths = np.minimum((np.array(confidences) * 10).astype(np.intp), 9)
    counts[:] = [count + more for count, more in zip(counts, np.bincount(tenths, minlength=10).tolist(), strict=True)]


def _settle(works: Sequence[Work], outcomes: Sequence[Any]) -> None:
    for work, outcome in zip(works, outcomes, strict=True):
        if work.future.done():
            continue
        if isinstance(outcome, Answered):
            work.future.set_result(outcome.answer)
        else:
            work.future.set_exception(outcome)
