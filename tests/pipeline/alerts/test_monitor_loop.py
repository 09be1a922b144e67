"""A run of the monitor turns findings into one incident, tells it once, and ends it when it is over."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from pipeline import alerts
from pipeline import state as store
from pipeline.alerts import monitor_loop
from pipeline.alerts.rule_inputs import fetch_server_metrics
from pipeline.config.config_loader import load_params
from pipeline.config.groups.alerts_config import AlertRuleConfig
from pipeline.files import exclusive_lock
from pipeline.schema import FeatureLabels
from tests.fixtures.toy_dataset import ROOT
from tests.pipeline.monitoring.log_fixtures import MODEL_NAME, hours_us, live_rows, production_package, write_log

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.config.root_config import Config


def make_config(project: Path, monitoring: dict[str, Any] | None = None, **alert_settings: Any) -> Config:
    shutil.copy(ROOT / "params.yaml", project / "params.yaml")
    config = load_params(project / "params.yaml")
    changed = config.monitoring.model_copy(update={"mlflow_runs": "none", **(monitoring or {})})
    return config.model_copy(update={"monitoring": changed, "alerts": config.alerts.model_copy(update=alert_settings)})


def utc_now_us() -> int:
    return store.database.utc_now_us()


def log_rows(project: Path, n: int = 600, *, is_shifted: bool, prefix: str) -> list[str]:
    """Log rows of the last hour; return the columns that were moved, of which the model cares most for the first."""
    frame = live_rows(n)
    numbers = [one.name for one in production_package(project)[0].schema.features if one.is_numeric][:2]
    if is_shifted:
        for name in numbers:
            frame[name] = frame[name].max()
    write_log(project, frame, start=utc_now_us() - hours_us(0.9), stop=utc_now_us() - hours_us(0.1), prefix=prefix)
    return numbers


def read_all_deliveries(project: Path) -> list[store.Delivery]:
    state = store.open_state(project)
    with state.reading() as connection:
        found = store.read_deliveries(connection, undelivered_only=False)
    state.close()
    return found


def test_many_drifted_columns_make_a_single_incident_with_ranked_causes(project: Path) -> None:
    numbers = log_rows(project, is_shifted=True, prefix="a")
    importance = production_package(project)[0].importance
    assert importance is not None
    assert importance.loss[numbers[0]].mean > importance.loss[numbers[1]].mean
    found = monitor_loop.run_monitor_once(make_config(project), project)
    (incident,) = [one for one in found.incidents if one.group_name == "quality"]
    lines = incident.message.splitlines()
    assert "drift" in incident.rules
    labels = FeatureLabels.from_schema(production_package(project)[0].schema)
    names = [labels.label(name) for name in numbers]
    assert incident.title.startswith(f"{names[0]} drifted, +")
    assert incident.title.endswith(f" sd, and {len(incident.details['causes']) - 1} more feature")
    assert [event["event"] for event in incident.details["history"]] == ["opened"]
    assert lines[0].endswith("(600 predictions)")
    assert lines[1] == "Most likely causes:"
    assert lines[2].startswith(f"1. {names[0]}: values shifted by ")
    assert lines[3].startswith(f"2. {names[1]}: shares of bins changed")
    assert 0.3 < incident.details["affected_share"] <= 1
    assert "wrong predictions than usual among 600 (accuracy estimated" in incident.message
    assert lines[-1].startswith("Next: mlops monitor report")
    assert [one.receiver for one in read_all_deliveries(project)] == ["log"] * len(found.incidents)


@pytest.mark.parametrize("state_database", ["postgresql"], indirect=True)
def test_the_rights_of_the_monitors_account_are_enough_for_a_run(
    project_on: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_rows(project_on, is_shifted=True, prefix="a")
    owner = store.open_state(project_on)
    store.apply_grants(owner)
    url = owner.engine.url.set(drivername="postgresql", username="mlops_monitor").render_as_string()
    owner.close()
    monkeypatch.setenv(store.STATE_URL_ENV, url)
    config = make_config(project_on)
    first, second = (monitor_loop.run_monitor_once(config, project_on) for _ in range(2))
    assert [incident.status for incident in first.incidents] == [incident.status for incident in second.incidents]
    assert [delivery.receiver for delivery in read_all_deliveries(project_on)] == ["log"] * len(first.incidents)


def test_an_incident_is_notified_once_per_cooldown_and_when_resolved(project: Path) -> None:
    config = make_config(project, {"window_hours": 1})
    log_rows(project, is_shifted=True, prefix="a")
    first, second = monitor_loop.run_monitor_once(config, project), monitor_loop.run_monitor_once(config, project)
    number = first.incidents[0].seq
    assert [one.seq for one in second.incidents] == [number]
    assert (second.incidents[0].n_occurrences, len(read_all_deliveries(project))) == (2, 1)
    _delete_predictions(project)
    log_rows(project, is_shifted=False, prefix="b")
    third = monitor_loop.run_monitor_once(config, project)
    assert [(one.seq, one.status, one.resolved_by) for one in third.incidents] == [(number, "resolved", "monitor")]
    assert [one.payload["event"] for one in read_all_deliveries(project)] == ["resolved", "opened"]
    assert (third.severity, first.severity) == (None, "warning")


def test_a_flapping_incident_is_notified_once_when_resolved(project: Path) -> None:
    config = make_config(project, {"window_hours": 1})
    for prefix in "ab":
        log_rows(project, is_shifted=True, prefix=prefix)
        monitor_loop.run_monitor_once(config, project)
        _delete_predictions(project)
        log_rows(project, is_shifted=False, prefix=prefix)
        (ended,) = monitor_loop.run_monitor_once(config, project).incidents
        assert ended.status == "resolved"
        _delete_predictions(project)
    assert (ended.n_occurrences, [one.payload["event"] for one in read_all_deliveries(project)]) == (
        2,
        ["resolved", "opened"],
    )


def _delete_predictions(project: Path) -> None:
    state = store.open_state(project)
    with state.writing() as connection:
        connection.exec_driver_sql("DELETE FROM predictions")
        store.clear_rollups(connection, MODEL_NAME)
    state.close()


def test_a_silenced_incident_is_notified_after_the_silence(project: Path) -> None:
    config = make_config(project)
    log_rows(project, is_shifted=True, prefix="a")
    state = store.open_state(project)
    quiet = alerts.create_silence(state, MODEL_NAME, minutes=60, actor=alerts.Actor("ada"))
    found = monitor_loop.run_monitor_once(config, project)
    assert (len(alerts.list_incidents(state)), read_all_deliveries(project)) == (len(found.incidents), [])
    alerts.expire_silence(state, quiet.seq, actor=alerts.Actor("ada"))
    monitor_loop.run_monitor_once(config, project)
    assert [one.payload["event"] for one in read_all_deliveries(project)] == ["opened"] * len(found.incidents)
    state.close()


def test_an_acknowledged_incident_is_notified_again_only_on_escalation(project: Path) -> None:
    config = make_config(project, cooldown_minutes=1)
    log_rows(project, is_shifted=True, prefix="a")
    state = store.open_state(project)
    (incident,) = monitor_loop.run_monitor_once(config, project).incidents
    alerts.acknowledge_incident(state, incident.seq, actor=alerts.Actor("ada"))
    with state.writing() as connection:  # as if the cool-down had passed
        connection.exec_driver_sql("UPDATE incidents SET notified_at = notified_at - 120000000")
    monitor_loop.run_monitor_once(config, project)
    assert len(read_all_deliveries(project)) == 1
    rules = {"drift": config.alerts.rules["drift"].model_copy(update={"severity": "critical"})}
    louder = config.model_copy(update={"alerts": config.alerts.model_copy(update={"rules": rules})})
    (worse,) = monitor_loop.run_monitor_once(louder, project).incidents
    assert (worse.severity, worse.status, read_all_deliveries(project)[0].payload["event"]) == (
        "critical",
        "open",
        "escalated",
    )
    state.close()


def test_an_incident_without_a_rule_result_stays_open(project: Path) -> None:
    config = make_config(project, {"window_hours": 1})
    log_rows(project, is_shifted=True, prefix="a")
    monitor_loop.run_monitor_once(config, project)
    _delete_predictions(project)
    found = monitor_loop.run_monitor_once(config, project)
    state = store.open_state(project)
    assert found.report["drift"]["verdict"] == "not_enough_data"
    assert [one.status for one in alerts.list_incidents(state)] == ["open"]
    state.close()


@pytest.mark.parametrize(
    ("severity", "least", "code"),
    [("warning", "warning", 4), ("warning", "critical", 0), ("critical", "critical", 4)],
)
def test_the_exit_code_follows_the_declared_severity(severity: str, least: str, code: int) -> None:
    config = load_params(ROOT / "params.yaml")
    monitoring = config.monitoring.model_copy(update={"exit_code": 4, "exit_severity": least})
    found = monitor_loop.MonitorRunResult({}, (), (), monitor_loop.DeliveryResult(), severity)
    assert found.exit_code(config.model_copy(update={"monitoring": monitoring})) == code


SERVICE_RULES = {
    "no_traffic": AlertRuleConfig(condition="no_traffic", above_minutes=60.0, severity="warning", group="service"),
    "stale_model": AlertRuleConfig(condition="stale_model", above_hours=0.0, severity="info", group="freshness"),
    "stale_monitor": AlertRuleConfig(condition="stale_monitor", above_hours=0.0, severity="info", group="freshness"),
    "errors": AlertRuleConfig(condition="error_rate", above_share=0.1, severity="critical", group="service"),
}


def test_missing_traffic_and_age_fire_their_rules(project: Path) -> None:
    config = make_config(project, rules=SERVICE_RULES)
    start = utc_now_us() - hours_us(8)
    write_log(project, live_rows(10), start=start, stop=start + hours_us(1))
    state = store.open_state(project)
    with state.writing() as connection:
        connection.exec_driver_sql(f"UPDATE deployments SET deployed_at = {start}")
    state.close()
    first = monitor_loop.run_monitor_once(config, project)
    second = monitor_loop.run_monitor_once(config, project)
    results = {one.rule: (one.is_firing, one.summary) for one in second.rule_results}
    assert {one.rule: one.is_firing for one in first.rule_results}["stale_monitor"] is None
    assert results["no_traffic"] == (True, "no prediction for 7 hours")
    assert results["stale_model"] == (True, "the production version is in use for 8 hours")
    assert results["stale_monitor"][0] is True
    assert results["errors"] == (None, "no server responses are known since the previous run")


def test_the_run_summary_is_stored(project: Path) -> None:
    numbers = log_rows(project, is_shifted=True, prefix="a")
    monitor_loop.run_monitor_once(make_config(project), project)
    state = store.open_state(project)
    with state.reading() as connection:
        run = store.last_monitor_run(connection, MODEL_NAME)
    state.close()
    assert run is not None
    assert (run.verdict, run.version, run.summary["n_rows"]) == ("drift", 1, 600)
    assert set(numbers) <= {one["column"] for one in run.summary["columns"] if one["verdict"] == "drift"}


def test_server_metrics_are_none_without_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.pipeline.alerts.receiver_servers import free_port

    config = load_params(ROOT / "params.yaml")
    monkeypatch.setenv("MLOPS_SERVER_URL", f"http://127.0.0.1:{free_port()}")
    assert fetch_server_metrics(config.alerts.server, config.serving) is None


def run_monitor_stage(project: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stages.monitor", "-cd", ".", "-cn", "params", *words],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )


@pytest.mark.usefixtures("starts_processes")
def test_two_monitors_do_not_run_at_once(project: Path) -> None:
    make_config(project)
    with exclusive_lock(project / "state/monitor.lock", operation="a test"):
        done = run_monitor_stage(project)
    assert done.returncode == 6
    assert done.stderr == "the monitor: another process is doing this now; wait for it to end, or stop it\n"


@pytest.mark.usefixtures("starts_processes")
def test_an_unreachable_mlflow_queues_the_monitor_run(project: Path) -> None:
    from tests.pipeline.alerts.receiver_servers import free_port

    make_config(project)
    log_rows(project, is_shifted=True, prefix="a")
    done = run_monitor_stage(project, MLFLOW_TRACKING_URI=f"http://127.0.0.1:{free_port()}")
    assert done.returncode == 0, done.stderr
    assert "[monitor] incident 1 (open, warning): " in done.stdout
    (letter,) = (project / "state").glob("**/operations.jsonl")
    logged_metrics = [json.loads(line) for line in letter.read_text(encoding="utf-8").splitlines()]
    assert any("columns_drifted" in json.dumps(one) for one in logged_metrics)
