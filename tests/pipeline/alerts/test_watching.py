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
from pipeline.alerts import watching
from pipeline.alerts.facts import read_server
from pipeline.config.groups.alerts import AlertRuleConfig
from pipeline.config.load import load_params
from pipeline.files import exclusive_lock, write_json
from tests.pipeline.monitoring.logs import MODEL_NAME, hours_us, live_rows, production_package, write_log
from tests.pipeline.problems import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.config.types import Config


def settings_of(project: Path, monitoring: dict[str, Any] | None = None, **of_alerts: Any) -> Config:
    shutil.copy(ROOT / "params.yaml", project / "params.yaml")
    config = load_params(project / "params.yaml")
    changed = config.monitoring.model_copy(update={"record": "none", **(monitoring or {})})
    return config.model_copy(update={"monitoring": changed, "alerts": config.alerts.model_copy(update=of_alerts)})


def now() -> int:
    return store.database.now()


def log_rows(project: Path, n: int = 600, *, moved: bool, prefix: str) -> list[str]:
    """Log rows of the last hour; return the columns that were moved, of which the model cares most for the first."""
    frame = live_rows(n)
    numbers = [one.name for one in production_package(project)[0].schema.features if one.is_numeric][:2]
    if moved:
        for name in numbers:
            frame[name] = frame[name].max()
    write_log(project, frame, start=now() - hours_us(0.9), stop=now() - hours_us(0.1), prefix=prefix)
    return numbers


def waiting(project: Path) -> list[store.Delivery]:
    state = store.open_state(project)
    with state.reading() as connection:
        found = store.deliveries(connection, is_waiting=False)
    state.close()
    return found


def test_many_columns_make_one_incident_whose_message_ranks_the_causes(project: Path) -> None:
    numbers = log_rows(project, moved=True, prefix="a")
    digest = production_package(project)[0].digest
    importance = [{"column": numbers[1], "mean": 0.9}, {"column": numbers[0], "mean": 0.01}]
    write_json(project / "reports/evaluation.json", {"package": digest, "importance": importance})
    found = watching.watch_once(settings_of(project), project)
    (incident,) = [one for one in found.incidents if one.incident == "quality"]
    lines = incident.message.splitlines()
    assert "drift" in incident.rules
    assert incident.title.startswith(f"{MODEL_NAME}: ")
    assert lines[0].endswith("(600 predictions)")
    assert lines[1] == "Likeliest causes:"
    assert lines[2].startswith(f"1. {numbers[1]}: mean rose from ")
    assert lines[3].startswith(f"2. {numbers[0]}: mean rose from ")
    assert len(incident.details["causes"]) <= 3
    assert 0.3 < incident.details["affected_share"] <= 1
    assert "wrong answers than usual among 600 (accuracy expected" in incident.message
    assert lines[-1].startswith("Next: mlops monitor report")
    assert [one.sink for one in waiting(project)] == ["log"] * len(found.incidents)


def test_an_incident_is_told_once_within_its_cool_down_and_told_to_be_over(project: Path) -> None:
    config = settings_of(project, {"window_hours": 1})
    log_rows(project, moved=True, prefix="a")
    first, second = watching.watch_once(config, project), watching.watch_once(config, project)
    number = first.incidents[0].seq
    assert [one.seq for one in second.incidents] == [number]
    assert (second.incidents[0].n_times, len(waiting(project))) == (2, 1)
    _forget_predictions(project)
    log_rows(project, moved=False, prefix="b")
    third = watching.watch_once(config, project)
    assert [(one.seq, one.status, one.resolved_by) for one in third.incidents] == [(number, "resolved", "monitor")]
    assert [one.payload["event"] for one in waiting(project)] == ["resolved", "opened"]
    assert (third.severity, first.severity) == (None, "warning")


def test_the_end_of_one_that_comes_and_goes_within_its_cool_down_is_told_once(project: Path) -> None:
    config = settings_of(project, {"window_hours": 1})
    for prefix in "ab":
        log_rows(project, moved=True, prefix=prefix)
        watching.watch_once(config, project)
        _forget_predictions(project)
        log_rows(project, moved=False, prefix=prefix)
        (ended,) = watching.watch_once(config, project).incidents
        assert ended.status == "resolved"
        _forget_predictions(project)
    assert (ended.n_times, [one.payload["event"] for one in waiting(project)]) == (2, ["resolved", "opened"])


def _forget_predictions(project: Path) -> None:
    state = store.open_state(project)
    with state.writing() as connection:
        connection.exec_driver_sql("DELETE FROM predictions")
        store.clear_rollups(connection, MODEL_NAME)
    state.close()


def test_a_silence_keeps_the_incident_and_tells_it_when_it_ends(project: Path) -> None:
    config = settings_of(project)
    log_rows(project, moved=True, prefix="a")
    state = store.open_state(project)
    quiet = alerts.silence(state, MODEL_NAME, minutes=60, actor=alerts.Actor("ada"))
    found = watching.watch_once(config, project)
    assert (len(alerts.list_incidents(state)), waiting(project)) == (len(found.incidents), [])
    alerts.unsilence(state, quiet.seq, actor=alerts.Actor("ada"))
    watching.watch_once(config, project)
    assert [one.payload["event"] for one in waiting(project)] == ["opened"] * len(found.incidents)
    state.close()


def test_an_acknowledged_incident_is_told_again_only_when_it_gets_worse(project: Path) -> None:
    config = settings_of(project, cooldown_minutes=1)
    log_rows(project, moved=True, prefix="a")
    state = store.open_state(project)
    (incident,) = watching.watch_once(config, project).incidents
    alerts.acknowledge(state, incident.seq, actor=alerts.Actor("ada"))
    with state.writing() as connection:  # as if the cool-down had passed
        connection.exec_driver_sql("UPDATE alerts SET told_at = told_at - 120000000")
    watching.watch_once(config, project)
    assert len(waiting(project)) == 1
    rules = {"drift": config.alerts.rules["drift"].model_copy(update={"severity": "critical"})}
    louder = config.model_copy(update={"alerts": config.alerts.model_copy(update={"rules": rules})})
    (worse,) = watching.watch_once(louder, project).incidents
    assert (worse.severity, worse.status, waiting(project)[0].payload["event"]) == ("critical", "open", "worse")
    state.close()


def test_one_that_cannot_be_judged_any_more_stays_open(project: Path) -> None:
    config = settings_of(project, {"window_hours": 1})
    log_rows(project, moved=True, prefix="a")
    watching.watch_once(config, project)
    _forget_predictions(project)
    found = watching.watch_once(config, project)
    state = store.open_state(project)
    assert found.report["drift"]["verdict"] == "not_enough_data"
    assert [one.status for one in alerts.list_incidents(state)] == ["open"]
    state.close()


@pytest.mark.parametrize(
    ("severity", "least", "code"),
    [("warning", "warning", 4), ("warning", "critical", 0), ("critical", "critical", 4)],
)
def test_the_exit_code_is_the_declared_one_from_a_severity_on(severity: str, least: str, code: int) -> None:
    config = load_params(ROOT / "params.yaml")
    monitoring = config.monitoring.model_copy(update={"exit_code": 4, "exit_severity": least})
    found = watching.Watched({}, (), (), watching.Delivered(), severity)
    assert found.exit_code(config.model_copy(update={"monitoring": monitoring})) == code


SERVICE = {
    "no_traffic": AlertRuleConfig(when="no_traffic", above=60.0, severity="warning", group="service"),
    "stale_model": AlertRuleConfig(when="stale_model", above=0.0, severity="info", group="freshness"),
    "stale_monitor": AlertRuleConfig(when="stale_monitor", above=0.0, severity="info", group="freshness"),
    "errors": AlertRuleConfig(when="error_rate", above=0.1, severity="critical", group="service"),
}


def test_silence_of_callers_and_age_are_told_by_rules_of_their_own(project: Path) -> None:
    config = settings_of(project, rules=SERVICE)
    start = now() - hours_us(8)
    write_log(project, live_rows(10), start=start, stop=start + hours_us(1))
    state = store.open_state(project)
    with state.writing() as connection:
        connection.exec_driver_sql(f"UPDATE deployments SET since = {start}")
    state.close()
    first = watching.watch_once(config, project)
    second = watching.watch_once(config, project)
    said = {one.rule: (one.speaks, one.words) for one in second.judged}
    assert {one.rule: one.speaks for one in first.judged}["stale_monitor"] is None
    assert said["no_traffic"] == (True, "no prediction for 7 hours")
    assert said["stale_model"] == (True, "the version in production has served for 8 hours")
    assert said["stale_monitor"][0] is True
    assert said["errors"] == (None, "no answers of a server are known since the run before")


def test_the_figures_of_the_run_are_kept_for_other_processes(project: Path) -> None:
    numbers = log_rows(project, moved=True, prefix="a")
    watching.watch_once(settings_of(project), project)
    state = store.open_state(project)
    with state.reading() as connection:
        run = store.last_monitor_run(connection, MODEL_NAME)
    state.close()
    assert run is not None
    assert (run.verdict, run.version, run.figures["n_rows"]) == ("drift", 1, 600)
    assert set(numbers) <= {one["column"] for one in run.figures["columns"] if one["verdict"] == "drift"}


def test_where_no_server_answers_its_figures_are_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.pipeline.alerts.receivers import free_port

    config = load_params(ROOT / "params.yaml")
    monkeypatch.setenv("MLOPS_SERVER_URL", f"http://127.0.0.1:{free_port()}")
    assert read_server(config.alerts.server, config.serving) is None


def run(project: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stages.monitor", "-cd", ".", "-cn", "params", *words],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )


@pytest.mark.slow
def test_two_monitors_do_not_run_at_once(project: Path) -> None:
    settings_of(project)
    with exclusive_lock(project / "state/monitor.lock", what="a test"):
        done = run(project)
    assert done.returncode == 6
    assert done.stderr == "the monitor: another process is doing this now; wait for it to end, or stop it\n"


@pytest.mark.slow
def test_a_dead_mlflow_does_not_fail_the_monitor_and_its_run_waits(project: Path) -> None:
    from tests.pipeline.alerts.receivers import free_port

    settings_of(project)
    log_rows(project, moved=True, prefix="a")
    done = run(project, MLFLOW_TRACKING_URI=f"http://127.0.0.1:{free_port()}")
    assert done.returncode == 0, done.stderr
    assert "[monitor] incident 1 (open, warning): " in done.stdout
    (letter,) = (project / "state").glob("**/operations.jsonl")
    kept = [json.loads(line) for line in letter.read_text(encoding="utf-8").splitlines()]
    assert any("columns_drifted" in json.dumps(one) for one in kept)
