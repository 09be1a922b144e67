"""A message leaves at least once, whatever its receiver does, and a kill in the middle sends it twice at most."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from pipeline import alerts
from pipeline import state as store
from pipeline.alerts.delivery import _retry_delay_s, deliver_due_messages, deliver_until_stopped
from pipeline.config.config_loader import load_params
from pipeline.config.groups.alerts_config import WebhookReceiverConfig
from tests.fixtures.proof import proof_rounds
from tests.fixtures.toy_dataset import ROOT
from tests.pipeline.alerts.receiver_servers import free_port, http_receiver
from tests.pipeline.alerts.test_incident_actions import add_incident
from tests.pipeline.alerts.test_receivers import PAYLOAD, URL_ENV

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipeline.config.groups.alerts_config import AlertsConfig

# `--proof=long` has the outage of two minutes that the requirement names.
OUTAGE_S = proof_rounds(2, long=120)
INCIDENT_NUMBERS = itertools.count(1)
KILLS = proof_rounds(1, long=50)

_DELIVER_SCRIPT = """
import sys
from pathlib import Path
from pipeline import state as store
from pipeline.alerts.delivery import deliver_due_messages
from tests.pipeline.alerts.test_delivery import settings
state = store.open_state(Path(sys.argv[1]))
print("ready", flush=True)
deliver_due_messages(state, settings())
"""


def settings(*names: str) -> AlertsConfig:
    hook = WebhookReceiverConfig(kind="webhook", url_env=URL_ENV, body="json", timeout_s=2)
    sinks = dict.fromkeys(names or ("hook",), hook)
    return load_params(ROOT / "params.yaml").alerts.model_copy(
        update={"receivers": sinks, "private_hosts": ("localhost",)}
    )


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[store.State]:
    monkeypatch.delenv(store.STATE_URL_ENV, raising=False)
    opened = store.open_state(tmp_path)
    yield opened
    opened.close()


def add_messages(state: store.State, *keys: str, sink: str = "hook", incident: int | None = None) -> None:
    """Add messages, each of an incident of its own unless one is given."""
    with state.writing() as connection:
        for key in keys:
            alert = incident if incident is not None else next(INCIDENT_NUMBERS)
            store.add_delivery(connection, alert, sink, key, {**PAYLOAD, "key": key}, at=state.clock())


def read_undelivered(state: store.State) -> list[store.Delivery]:
    with state.reading() as connection:
        return store.read_deliveries(connection)


def received_keys(receiver: Any) -> list[str]:
    return [body["key"] for body in receiver.bodies]


def test_each_message_is_delivered_once_and_in_order(state: store.State, monkeypatch: pytest.MonkeyPatch) -> None:
    add_messages(state, "a", "b", "c", "a")
    with http_receiver() as receiver:
        monkeypatch.setenv(URL_ENV, receiver.url)
        done = [deliver_due_messages(state, settings()).n_sent for _ in range(2)]
    assert (done, received_keys(receiver), read_undelivered(state)) == ([3, 0], ["a", "b", "c"], [])


def test_a_failing_receiver_is_retried_without_delaying_others(
    state: store.State, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_messages(state, "a", "b", sink="bad")
    with http_receiver() as receiver:
        receiver.status = 500
        monkeypatch.setenv(URL_ENV, receiver.url)
        done = deliver_due_messages(state, settings("bad"))
        assert (done.n_sent, done.n_failed_receivers, received_keys(receiver)) == (0, 1, ["a"])
        first = {one.key: one for one in read_undelivered(state)}["a"]
        assert (first.attempts, first.error) == (1, "localhost responded with 500")
        assert 0 < first.due_at - state.clock() <= 1_000_000
        receiver.status = 200
        add_messages(state, "c", sink="good")
        assert deliver_due_messages(state, settings("bad", "good")).n_sent == 2
    assert received_keys(receiver) == ["a", "b", "c"]


def test_a_resolution_is_never_delivered_before_the_opening(
    state: store.State, monkeypatch: pytest.MonkeyPatch
) -> None:
    with http_receiver() as receiver:
        monkeypatch.setenv(URL_ENV, receiver.url)
        receiver.status = 500
        add_messages(state, "began", incident=1)
        deliver_due_messages(state, settings())
        receiver.status = 200
        receiver.bodies.clear()
        add_messages(state, "over", incident=1)
        add_messages(state, "another", incident=2)
        deliver_due_messages(state, settings())  # "began" still waits for its next try
        assert received_keys(receiver) == ["another"]
        time.sleep(1.1)
        deliver_due_messages(state, settings())
    assert received_keys(receiver) == ["another", "began", "over"]


def test_messages_to_a_removed_receiver_wait_until_the_incident_is_resolved(state: store.State) -> None:
    number = add_incident(state)
    add_messages(state, "began", sink="gone", incident=number)
    first = deliver_due_messages(state, settings())
    assert (first.n_failed_receivers, first.error) == (
        1, "gone: alerts.receivers no longer declares gone; declare it again, or resolve the incident",
    )  # fmt: skip
    alerts.resolve_incident(state, number, actor=alerts.Actor("ada"))
    assert [one.payload["event"] for one in read_undelivered(state)] == ["resolved", "opened"]
    time.sleep(1.1)  # the pause before the next try
    done = deliver_due_messages(state, settings())
    assert (done.n_sent, done.n_failed_receivers, read_undelivered(state)) == (0, 0, [])


def test_retry_delays_grow_to_30_seconds() -> None:
    assert [_retry_delay_s(attempts) for attempts in (0, 1, 2, 3, 4, 5, 50)] == [1, 2, 4, 8, 16, 30, 30]


@pytest.mark.usefixtures("starts_processes")
def test_after_an_outage_the_message_arrives_once_within_a_minute(
    state: store.State, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, stop = free_port(), threading.Event()
    monkeypatch.setenv(URL_ENV, f"http://localhost:{port}/hook")
    add_messages(state, "a")
    sender = threading.Thread(target=deliver_until_stopped, args=(stop, state, settings()))
    sender.start()
    try:
        time.sleep(OUTAGE_S)
        with http_receiver(port) as receiver:
            back = time.monotonic()
            while read_undelivered(state) and time.monotonic() - back < 60:
                time.sleep(0.1)
            assert (received_keys(receiver), read_undelivered(state)) == (["a"], [])
    finally:
        stop.set()
        sender.join()


@pytest.mark.usefixtures("starts_processes")
def test_the_follow_command_retries_a_receiver_until_a_signal(state: store.State, tmp_path: Path) -> None:
    values = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    values["alerts"] |= {
        "receivers": {"hook": {"kind": "webhook", "url_env": URL_ENV, "body": "json", "timeout_s": 2.0}}
    }
    values["alerts"] |= {"private_hosts": ["localhost"]}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    port = free_port()
    environment = {**os.environ, URL_ENV: f"http://localhost:{port}/hook"}
    command = [str(Path(sys.executable).parent / "mlops"), "alerts", "deliver", "--follow"]
    add_messages(state, "a")
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: read_undelivered(state)[0].attempts > 0)
        with http_receiver(port) as receiver:
            wait_until(lambda: not read_undelivered(state))
            add_messages(state, "b")
            wait_until(lambda: not read_undelivered(state))
        process.terminate()
        stderr = process.communicate(timeout=30)[1]
    finally:
        process.kill()
    assert (received_keys(receiver), process.returncode) == (["a", "b"], 0)
    assert stderr == "delivering notifications; press Ctrl-C to stop\n"


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for something that another process does, a minute at most."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_the_claim_of_a_killed_sender_expires_after_30_seconds(state: store.State) -> None:
    add_messages(state, "a")
    at = state.clock()
    with state.writing() as connection:
        assert store.claim_delivery(connection, at=at, until=at + 30_000_000) is not None
    with state.writing() as connection:
        assert store.claim_delivery(connection, at=at + 29_999_999, until=at) is None
        assert store.claim_delivery(connection, at=at + 30_000_000, until=at) is not None


@pytest.mark.usefixtures("starts_processes")
def test_a_kill_during_delivery_loses_nothing_and_duplicates_at_most_a_single_message(
    state: store.State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with http_receiver() as receiver:
        receiver.delay_s = 0.02
        monkeypatch.setenv(URL_ENV, receiver.url)
        environment = {**os.environ, URL_ENV: receiver.url, "PYTHONPATH": str(ROOT)}
        for number in range(KILLS):
            add_messages(state, *(f"{number}-{one}" for one in range(20)))
            _kill_during_delivery(tmp_path, environment, after_s=0.1 + 0.3 * number / KILLS)
            with state.writing() as connection:  # as if the half minute of the claim had passed
                connection.exec_driver_sql("UPDATE alert_deliveries SET claimed_until = 0")
            deliver_due_messages(state, settings())
    arrived = received_keys(receiver)
    assert set(arrived) == {f"{number}-{one}" for number in range(KILLS) for one in range(20)}
    assert len(arrived) - len(set(arrived)) <= KILLS
    assert read_undelivered(state) == []


def _kill_during_delivery(root: Path, environment: dict[str, str], *, after_s: float) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _DELIVER_SCRIPT, str(root)], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process.stdout:
        process.stdout.readline()
        time.sleep(after_s)
        process.kill()
        process.wait(timeout=30)
