"""A project whose consumers are real processes, its topics, and what a test compares at the end."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import func
from sqlalchemy import select as select_rows

from pipeline import files
from pipeline.config.composition import compose
from pipeline.state import STATE_URL_ENV, open_state
from pipeline.state.tables import predictions
from tests.fixtures.kafka_broker import REBALANCE_QUICKLY
from tests.fixtures.small_packages import unseen_rows
from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pipeline.state import State
    from tests.fixtures.kafka_broker import KafkaBroker

__all__ = [
    "Consumer",
    "Nursery",
    "StreamProject",
    "event_values",
    "is_bad",
    "new_stream_project",
    "running_nursery",
    "wait_until",
]

_TIMEOUT_S = 120
_BAD_EVERY = 100
_NUMBERS = count(1)


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait until a condition holds; `what` names it in the failure."""
    deadline = time.monotonic() + _TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline, f"waited {_TIMEOUT_S} s until {what}"
        time.sleep(0.02)


@cache
def _bodies() -> list[bytes]:
    rows = unseen_rows("personality", 600).to_json(orient="records")
    names = ("id",)
    return [
        json.dumps({"features": {name: value for name, value in row.items() if name not in names}}).encode()
        for row in json.loads(rows)
    ]


def is_bad(number: int) -> bool:
    """Whether an event of `event_values` gets a dead letter."""
    return number % _BAD_EVERY == 7


def event_values(n: int) -> list[bytes]:
    """Return events with valid rows, and one in a hundred without one."""
    bodies = _bodies()
    return [
        (b"no JSON" if number % 200 == 7 else b'{"features": {"Friends_circle_size": "many"}}')
        if is_bad(number)
        else bodies[number % len(bodies)]
        for number in range(n)
    ]


@dataclass
class Consumer:
    """One consumer, which is a process of its own."""

    pid: int
    report: Path
    _descriptor: int = field(init=False)

    def __post_init__(self) -> None:
        self._descriptor = os.pidfd_open(self.pid)

    @property
    def pause_reason(self) -> str | None:
        """Why the consumer waits now."""
        reason: str | None = self._now().get("pause_reason")
        return reason

    @property
    def served_version(self) -> int | None:
        """The version that the consumer predicts with now."""
        version: int | None = self._now().get("model_version")
        return version

    def _now(self) -> dict[str, Any]:
        now = self.report.with_suffix(".now")
        return dict(json.loads(now.read_text(encoding="utf-8"))) if now.exists() else {}

    @property
    def is_suspended(self) -> bool:
        """Whether the process does not run because of a signal."""
        return Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "T"

    @property
    def is_running(self) -> bool:
        """Whether the process has not ended."""
        return not select.select([self._descriptor], [], [], 0)[0]

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        signal.pidfd_send_signal(self._descriptor, number)

    def kill(self) -> None:
        """End the process at once."""
        if self.is_running:
            self.send(signal.SIGKILL)
        self.wait()

    def wait(self) -> None:
        """Wait until the process has ended."""
        wait_until(lambda: not self.is_running, f"process {self.pid} ends")

    def stop(self) -> dict[str, Any]:
        """Ask the process to end, and return its counts."""
        self.send(signal.SIGTERM)
        self.wait()
        return self.result()

    def result(self) -> dict[str, Any]:
        """Return the counts of a process that has ended."""
        counts: dict[str, Any] = json.loads(self.report.read_text(encoding="utf-8"))
        return counts


@dataclass
class Nursery:
    """The process that forks consumers."""

    process: subprocess.Popen[str]

    def fork(self, order: dict[str, Any]) -> int:
        """Return the number of a new process that runs a consumer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


@contextmanager
def running_nursery() -> Iterator[Nursery]:
    """Yield a process that forks consumers, until the end of the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.pipeline.streaming.stream_nursery"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    try:
        yield Nursery(process)
    finally:
        process.communicate(timeout=30)


@dataclass
class StreamProject:
    """A project, its broker and the process that forks its consumers."""

    root: Path
    broker: KafkaBroker
    topics: dict[str, str]
    nursery: Nursery
    state: State
    consumers: list[Consumer] = field(default_factory=list)

    def start(
        self, *, step: str = "", nth: int = 1, number: signal.Signals = signal.SIGKILL, reads_outcomes: bool = False
    ) -> Consumer:
        """Start a consumer, which sends itself a signal the n-th time that it comes to a step."""
        report = self.root / f"consumer-{len(self.consumers)}.json"
        environment = {"MLOPS_KAFKA": self.broker.address, STATE_URL_ENV: os.environ.get(STATE_URL_ENV, "")}
        order = {
            "root": str(self.root), "environment": environment, "report": str(report),
            "step": step, "nth": nth, "signal": number, "reads_outcomes": reads_outcomes,
        }  # fmt: skip
        consumer = Consumer(self.nursery.fork(order), report)
        self.consumers.append(consumer)
        return consumer

    def produce(self, values: Sequence[bytes | None]) -> None:
        """Write events, around the partitions."""
        self.broker.produce(self.topics["events"], values)

    def logged(self) -> list[Any]:
        """Return the rows of the log, in their order."""
        with self.state.reading() as connection:
            return list(connection.execute(select_rows(predictions).order_by(predictions.c.seq)))

    def n_logged(self) -> int:
        """Return the number of rows of the log."""
        with self.state.reading() as connection:
            return int(connection.execute(select_rows(func.count()).select_from(predictions)).scalar_one())

    def wait_for_rows(self, n: int) -> None:
        """Wait until the log has `n` rows."""
        wait_until(lambda: self.n_logged() >= n, f"the log has {n} rows")

    def wait_for_results(self, n: int) -> None:
        """Wait until `n` events have a prediction or a dead letter.

        The log may be complete before: results of an earlier transaction are sent again when their partition is read.
        """
        wait_until(lambda: len(self.sent_predictions()) + len(self.dead_letters()) >= n, f"{n} events have a result")

    def n_sent(self) -> int:
        """Return the number of records in the topic of predictions."""
        return sum(self.broker.end_offsets(self.topics["predictions"]).values())

    def n_dead(self) -> int:
        """Return the number of records in the topic of dead letters."""
        return sum(self.broker.end_offsets(self.topics["dead"]).values())

    def sent_predictions(self) -> dict[str, set[bytes]]:
        """Return the different predictions of each event that the topic has, by the position of the event."""
        sent: dict[str, set[bytes]] = {}
        for record in self.broker.read_all(self.topics["predictions"]):
            sent.setdefault(_source(record), set()).add(record.value())
        return sent

    def dead_letters(self) -> dict[str, set[tuple[bytes | None, bytes]]]:
        """Return the different dead letters of each event: its bytes and the problem."""
        sent: dict[str, set[tuple[bytes | None, bytes]]] = {}
        for record in self.broker.read_all(self.topics["dead"]):
            sent.setdefault(_source(record), set()).add((record.value(), dict(record.headers())["problem"]))
        return sent

    def require_complete(self) -> None:
        """Require each event once in the log, its result sent, and repeated results equal; dead letters complete."""
        events = {_position(record): record.value() for record in self.broker.read_all(self.topics["events"])}
        rows = self.logged()
        ids = Counter(row.prediction_id for row in rows)
        sent, dead = self.sent_predictions(), self.dead_letters()
        wrong = {position for position, value in events.items() if value in set(event_values(200)[7::100])}
        assert max(ids.values()) == 1, "rows of the log are doubled"
        assert set(sent) == set(events) - wrong, "predictions are lost, or sent for other events"
        assert set(dead) == wrong, "dead letters are lost, or sent for other events"
        assert all(len(each) == 1 for each in sent.values()), "a repeated prediction differs"
        assert {position: {events[position]} for position in dead} == {
            position: {value for value, _ in each} for position, each in dead.items()
        }
        assert all(len(each) == 1 for each in dead.values()), "a repeated dead letter differs"
        responses = [json.loads(value) for (value,) in sent.values()]
        labels = {response["prediction_id"]: response["prediction"] for response in responses}
        assert labels == {row.prediction_id: row.prediction for row in rows}, "the log has other rows than were sent"


@contextmanager
def new_stream_project(
    root: Path, broker: KafkaBroker, nursery: Nursery, *overrides: str, n_partitions: int = 2
) -> Iterator[StreamProject]:
    """Write the settings of a project with registered models, create its topics, and end its processes at the end."""
    number = next(_NUMBERS)
    topics = {name: f"{name}-{os.getpid()}-{number}" for name in ("events", "predictions", "dead", "outcomes")}
    for topic in topics.values():
        broker.create_topic(topic, n_partitions=n_partitions)
    words = (
        "stream=kafka", f"stream.group=group-{os.getpid()}-{number}", "stream.batch_rows=300",
        f"stream.client.session_timeout_ms={REBALANCE_QUICKLY['session.timeout.ms']}",
        f"stream.client.heartbeat_interval_ms={REBALANCE_QUICKLY['heartbeat.interval.ms']}",
        *(f"stream.topics.{name}={topic}" for name, topic in topics.items()),
    )  # fmt: skip
    values = compose([*words, *overrides], conf=ROOT / "conf").values
    files.write_text(root / "params.yaml", json.dumps(values))
    state = open_state(root)
    project = StreamProject(root, broker, topics, nursery, state)
    try:
        yield project
    finally:
        for consumer in project.consumers:
            if consumer.is_running:
                consumer.send(signal.SIGCONT)
                consumer.kill()
        state.close()


def _source(record: Any) -> str:
    return str(dict(record.headers())["source"].decode())


def _position(record: Any) -> str:
    return f"{record.topic()}/{record.partition()}/{record.offset()}"
