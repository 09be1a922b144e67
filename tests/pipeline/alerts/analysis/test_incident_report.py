"""The report of an incident that a run of the monitor opened explains it from roll-ups."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline import alerts
from pipeline import state as store
from pipeline.alerts import monitor_loop
from pipeline.alerts.analysis import read_incident_report
from pipeline.alerts.analysis.incident_report import IncidentStart, find_start
from pipeline.errors import UsageError
from pipeline.monitoring import ModelMonitor
from pipeline.monitoring.drift.drift_history import DriftLine
from pipeline.monitoring.performance.performance_history import MetricLine
from pipeline.production_status.monitor_assessment import assess_incidents
from pipeline.state import HOUR_US
from tests.pipeline.alerts.analysis.report_fixtures import CAUSE, DETAILS, METRIC, OPENED, make_incident
from tests.pipeline.alerts.test_monitor_loop import log_rows, make_config, utc_now_us
from tests.pipeline.monitoring.log_fixtures import MODEL_NAME, live_rows, production_package, write_log, write_outcomes
from tests.pipeline.production_status.status_scenarios import known

if TYPE_CHECKING:
    from pathlib import Path


def test_the_start_is_what_the_monitor_stored_or_the_opening() -> None:
    assert find_start(make_incident(), (), ()) == IncidentStart(CAUSE["drifting_since"], "drift", "age")
    unknown = {**DETAILS, "causes": [{**CAUSE, "drifting_since": None}]}
    assert find_start(make_incident(details=unknown), (), ()) == IncidentStart(OPENED, "opened")
    degraded = {**unknown, "metrics": [{**METRIC, "degraded_since": OPENED - HOUR_US}]}
    assert find_start(make_incident(details=degraded), (), ()) == IncidentStart(OPENED - HOUR_US, "metric", "log_loss")


def test_the_status_has_the_start_of_the_report_where_no_feature_drifts(project: Path) -> None:
    config = make_config(project)
    classes = production_package(project)[0].classes
    now = utc_now_us()
    start = now - now % HOUR_US - 2 * HOUR_US
    frame = live_rows(600)
    ids = write_log(project, frame, start=start, stop=now)
    wrong = dict(zip(classes, reversed(classes), strict=True))
    write_outcomes(project, [(name, wrong[label]) for name, label in zip(ids, frame["Personality"], strict=True)])
    incident = next(found for found in monitor_loop.run_monitor_once(config, project).incidents if found.seq == 1)
    state = store.open_state(project)
    packages = ModelMonitor(MODEL_NAME, project, config=config).load_package
    report = read_incident_report(state, config, packages, 1)
    state.close()
    assert (report.start.basis, report.start.at, report.start.is_bound) == ("metric", start, True)
    assert assess_incidents(known(incidents=(incident,)), now, HOUR_US).since == start


def test_a_cause_is_the_start_although_a_metric_was_beyond_its_limit_before() -> None:
    drift = (DriftLine("age", "feature", (), onset=OPENED - 2 * HOUR_US),)
    metrics = (MetricLine("log_loss", False, baseline=0.1, limit=0.2, realized=(), onset=OPENED - 9 * HOUR_US),)
    assert find_start(make_incident(), drift, metrics) == IncidentStart(OPENED - 2 * HOUR_US, "drift", "age")
    assert find_start(make_incident(), (), metrics) == IncidentStart(OPENED - 9 * HOUR_US, "metric", "log_loss")


def test_a_report_has_causes_over_time_and_what_was_done(project: Path) -> None:
    config = make_config(project)
    columns = log_rows(project, is_shifted=True, prefix="a")
    (incident,) = monitor_loop.run_monitor_once(config, project).incidents
    packages = ModelMonitor(MODEL_NAME, project, config=config).load_package
    state = store.open_state(project)
    alerts.acknowledge_incident(state, incident.seq, actor=alerts.Actor("ada"), reason="on it")
    report = read_incident_report(state, config, packages, incident.seq)
    assert [line.column for line in report.drift] == columns
    assert report.start.at == report.drift[0].beyond_since == incident.details["causes"][0]["drifting_since"]
    assert report.start.is_bound
    assert report.effect is not None
    assert (report.effect.before.shortage, report.effect.after.n_predictions) == ("0 of 200 predictions needed", 600)
    assert [(event.text, event.actor) for event in report.timeline if event.kind == "action"] == [
        ("Acknowledged", "ada")
    ]
    assert report.firing == (incident.details["rules"][0]["summary"],)
    lost = read_incident_report(state, config, lambda _digest: None, incident.seq)
    assert (lost.drift, lost.effect, lost.start.at) == ((), None, report.start.at)
    with pytest.raises(UsageError, match="no incident has the number 99"):
        read_incident_report(state, config, packages, 99)
    state.close()
