"""A server on PostgreSQL logs with the account of the API, and the owner of the tables looks after the log."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from pipeline import state as store
from pipeline.config.config_loader import load_params
from pipeline.errors import Conflict, NotAllowed
from pipeline.registry import ModelRegistry
from pipeline.serving.retention import RetentionWorker, check_retention, erase_subject, prepare_partitions, prune_log
from tests.fixtures import postgresql_server
from tests.fixtures.registered_project import open_canary
from tests.fixtures.server_process import MODEL_NAME, ROW, make_project, run_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.config.groups.serving_config import PredictionLogConfig
    from pipeline.state import State

pytestmark = pytest.mark.usefixtures("starts_processes")


@pytest.fixture
def owner(postgresql: str, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[State]:
    """A project on PostgreSQL whose accounts have their rights; the environment has the owner's address."""
    address = postgresql_server.new_database(postgresql, template=postgresql_server.template_database(postgresql))
    monkeypatch.setenv(store.STATE_URL_ENV, address)
    make_project(tmp_path, [package], "serving.authentication=required")
    opened = store.open_state(tmp_path)
    store.apply_grants(opened)
    yield opened
    opened.close()


@pytest.fixture
def log(owner: State, tmp_path: Path) -> PredictionLogConfig:
    del owner
    return load_params(tmp_path / "params.yaml").serving.log


def account_url(owner: State, account: str) -> str:
    return owner.engine.url.set(drivername="postgresql", username=f"mlops_{account}").render_as_string()


def count_rows(owner: State, table: str) -> int:
    with owner.reading() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def test_a_server_predicts_logs_and_follows_promotions_without_a_right_to_decide(owner: State, tmp_path: Path) -> None:
    key, record = store.create_api_key(owner, "admin", name="k", actor="eve")
    open_canary(tmp_path, share=1.0, challenger=1)
    url = account_url(owner, "api")
    with run_server(tmp_path, MLOPS_STATE_URL=url) as server, server.client() as client:
        client.headers = {"Authorization": f"Bearer {key}"}
        for number in range(3):
            response = client.post("/predict", json={"features": ROW}, headers={"Idempotency-Key": f"k{number % 2}"})
            assert response.status_code == 200, response.text
        assert response.json()["variant"] == "challenger"
        outcome = {"prediction_id": response.json()["prediction_id"], "outcome": response.json()["prediction"]}
        assert client.post("/feedback", json=outcome).status_code == 200
        paths = client.get("/openapi.json").json()["paths"]
        answers = {path: client.get(path).status_code for path, methods in paths.items() if "get" in methods}
        assert {path: code for path, code in answers.items() if code != 200 and "{" not in path} == {}
        assert len(answers) >= 8
        assert client.post("/v1/activate").status_code == 200
        stopped = client.post("/v1/trials/1/stop", json={"reason": "enough"}).json()
        assert {found["state"] for found in stopped["traffic"]["servers"]} == {"stopped"}
        assert stopped["traffic"]["challenger"]["n_predictions"] == 2
        assert client.post("/predict?log=false", json={"features": ROW}).json()["variant"] == "champion"
        status = client.get("/v1/status").json()
        assert server.stop() == 0
    assert (count_rows(owner, "predictions"), count_rows(owner, "outcomes")) == (2, 1)
    assert "permission denied" not in str(status)
    assert count_rows(owner, "serving_events") >= 1
    assert {k.id: k.last_used_at is not None for k in store.read_api_keys(owner)} == {record.id: True}


@pytest.mark.parametrize("account", ["api", "app", "monitor", "decider", "training"])
def test_no_account_but_the_owners_rotates_partitions_removes_or_erases(
    owner: State, log: PredictionLogConfig, account: str
) -> None:
    state = store.connect_to(account_url(owner, account), setting_name="here")
    for change in (
        lambda: prepare_partitions(state, log),
        lambda: prune_log(state, log, actor="eve", confirms_clock=True),
        lambda: erase_subject(state, "ada", actor="eve", hash_key=b"key"),
    ):
        with pytest.raises(NotAllowed, match=f"refused a statement of the account mlops_{account}"):
            change()
    with state.reading() as connection:
        assert not store.owns_log(connection)
    state.close()


def test_a_server_reports_the_retention_that_the_owner_has_missed(owner: State, log: PredictionLogConfig) -> None:
    now = time.time_ns() // 1000
    state = store.connect_to(account_url(owner, "api"), setting_name="here")
    with pytest.raises(Conflict, match=r"no partition for today; run `mlops prediction-log prune` each hour with"):
        check_retention(state, log)
    prepare_partitions(owner, log)
    check_retention(state, log)
    writer = store.PredictionWriter(state)
    row = store.PredictionRow("p", now, MODEL_NAME, 1, "d", 1, "{}", "yes", "{}", 1.0, "", "", "", 1, 1.0, None, None)
    old = now - (log.retention_days + log.partition_days + 2) * store.DAY_US
    writer.write([row, row._replace(prediction_id="old", predicted_at=old)])
    writer.close()
    with pytest.raises(Conflict, match=r"1 prediction exceeded \d+ days"):
        check_retention(state, log)
    assert prune_log(owner, log, actor="eve", confirms_clock=True) == 1
    check_retention(state, log)
    later = replace(owner, clock=lambda: now + (log.retention_days + 2 * log.partition_days) * store.DAY_US)
    prepare_partitions(later, log)
    assert prune_log(later, log, actor="eve", confirms_clock=True) == 1
    assert count_rows(owner, "predictions") == 0
    state.close()


def test_the_thread_of_a_server_that_does_not_own_the_log_reports_missed_retention(
    owner: State, log: PredictionLogConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.serving.retention._INTERVAL_S", 0.02)
    state = store.connect_to(account_url(owner, "api"), setting_name="here")
    worker = RetentionWorker(state, log)
    worker.start()
    deadline = time.monotonic() + 20
    while worker.last_error is None and time.monotonic() < deadline:
        time.sleep(0.02)
    worker.stop()
    assert "no partition for today; run `mlops prediction-log prune`" in str(worker.last_error)
    state.close()


def test_a_command_with_the_training_account_names_the_right_that_it_lacks(
    owner: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(store.STATE_URL_ENV, account_url(owner, "training"))
    registry = ModelRegistry(tmp_path, tracking_uri="http://127.0.0.1:1")
    with pytest.raises(NotAllowed, match="mlops_training may not change Production"):
        registry.promote_model(MODEL_NAME, 1, "Archived", reason="not mine")
    monkeypatch.setenv(store.STATE_URL_ENV, account_url(owner, "decider"))
    registry.promote_model(MODEL_NAME, 1, "Archived", reason="mine")
    assert registry.current_deployment(MODEL_NAME).versions == {}
