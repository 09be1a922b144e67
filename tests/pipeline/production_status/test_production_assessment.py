"""Each condition of production has its own state, sentence and next step; what is unknown is never healthy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from pipeline.production_status import ApiFacts, DatabaseFacts, TrackingFacts, assess_production
from tests.pipeline.production_status.status_scenarios import HOUR_US, NOW, facts, known, ready_api


def _database(**changes: Any) -> dict[str, Any]:
    return {"database": DatabaseFacts("ok", "sqlite:///state.db", known(**changes))}


_SILENT = ApiFacts("no_response", "http://a:1", detail="Connection refused")
_CASES: list[tuple[dict[str, Any], str, str, str, str]] = [
    ({}, "database", "healthy", "ok", "can be read and written"),
    ({"database": DatabaseFacts("new")}, "database", "unknown", "new", "the first registration creates it"),
    ({"database": DatabaseFacts("missing", "gone; find it")}, "database", "down", "missing", "gone. Next: find it"),
    ({"database": DatabaseFacts("missing", "gone")}, "database", "down", "missing", "gone. Next: restore a backup"),
    ({"database": DatabaseFacts("damaged", "bad bytes")}, "database", "down", "damaged", "restore a backup"),
    ({"database": DatabaseFacts("busy", "locked")}, "database", "degraded", "busy", "wait for the other writer"),
    ({"database": DatabaseFacts("other_schema", "older")}, "database", "down", "other_schema", "mlops state upgrade"),
    ({"database": DatabaseFacts("not_allowed", "refused")}, "database", "unknown", "not_allowed", "an account that"),
    ({"database": DatabaseFacts("unavailable", "off")}, "database", "down", "unavailable", "check its address"),
    ({"database": DatabaseFacts("without_versions", "none")}, "database", "degraded", "without_versions", "backup"),
    ({}, "version", "healthy", "passed", "Version 2 (1.0.0) is in Production and passed its gates"),
    (_database(n_versions=0, production=None), "version", "unknown", "none_registered", "mlops models register"),
    (_database(production=None), "version", "down", "none_in_production", "mlops promote"),
    ({"database": DatabaseFacts("damaged")}, "version", "unknown", "unknown", "cannot be read"),
    ({}, "api", "healthy", "ready", "`http://a:1` is ready, last prediction 12 seconds ago"),
    (_database(last_prediction_at=None), "api", "healthy", "ready", "no prediction is logged yet"),
    ({"database": DatabaseFacts("missing")}, "api", "unknown", "ready", "when it predicted last is unknown"),
    ({"api": ready_api(version=1)}, "api", "degraded", "other_version", "Version 1 serves, but version 2"),
    ({"api": ready_api(served_by="rule")}, "api", "degraded", "rule_baseline", "rule baseline predicts instead"),
    ({"api": ready_api(model="other")}, "api", "down", "other_model", "serves the model other, not m"),
    ({"api": ApiFacts("not_ready", "http://a:1", detail="no log")}, "api", "down", "not_ready", "not ready: no log"),
    ({"api": ApiFacts("foreign", "http://a:1", detail="status 404")}, "api", "down", "foreign", "not this API"),
    ({"api": ApiFacts("invalid", detail="MLOPS_SERVER_URL: no URL")}, "api", "unknown", "invalid_address", "no URL"),
    ({"api": _SILENT}, "api", "down", "no_response", "last seen 2025-12-31 23:59:48 UTC, 12 seconds ago"),
    ({"api": _SILENT, **_database(api_seen_at=None)}, "api", "unknown", "not_configured", "set MLOPS_SERVER_URL"),
    ({}, "tracking", "healthy", "reachable", "`http://mlflow` responds"),
    ({"tracking": TrackingFacts("new", "sqlite:///x")}, "tracking", "unknown", "new", "no run is recorded yet"),
    ({"tracking": TrackingFacts("not_checked", "file:x")}, "tracking", "unknown", "not_checked", "not checked"),
    (
        {"tracking": TrackingFacts("unreachable", "http://x", "refused")},
        "tracking",
        "degraded",
        "unreachable",
        "cannot be reached (refused)",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "name", "state", "condition", "words"), _CASES)
def test_each_condition_has_its_state_and_sentence(
    changes: dict[str, Any], name: Any, state: str, condition: str, words: str
) -> None:
    component = assess_production(facts(**changes)).component(name)
    assert (component.state, component.condition) == (state, condition)
    assert words in component.text


@pytest.mark.parametrize(("changes", "name", "state"), [(case[0], case[1], case[2]) for case in _CASES])
def test_production_is_healthy_only_if_every_component_is(changes: dict[str, Any], name: Any, state: str) -> None:
    status = assess_production(facts(**changes))
    assert (status.state == "healthy") == all(component.state == "healthy" for component in status.components)
    if state != "healthy":
        assert status.state != "healthy"
        assert status.component(name).next_step or status.component(name).condition in (
            "unknown",
            "not_checked",
            "ready",
        )


def test_a_declared_address_without_response_is_down_even_if_never_seen() -> None:
    api = ApiFacts("no_response", "http://a:1", is_declared=True, detail="timed out")
    component = assess_production(facts(api=api, **_database(api_seen_at=None))).component("api")
    assert (component.state, component.sentence) == (
        "down",
        "`http://a:1` does not respond (timed out), never seen before",
    )


def test_the_worst_state_decides_and_names_its_components() -> None:
    status = assess_production(facts(api=_SILENT, tracking=TrackingFacts("unreachable", "x", "y")))
    assert status.state == "down"
    assert status.sentence == (
        "Production is down: API down, last seen 31 Dec 2025 23:59 UTC. MLflow unreachable. Monitor 1 hour ago."
    )
    assert assess_production(facts()).sentence == "Production is healthy. API up, monitor 1 hour ago."


def test_production_is_in_no_state_since_a_future_moment() -> None:
    status = assess_production(facts(api=_SILENT, **_database(api_seen_at=NOW + HOUR_US)))
    assert (status.state, status.since) == ("down", None)
    assert status.sentence == "Production is down: API down. Monitor 1 hour ago."


def test_moments_are_in_the_zone_of_the_reader() -> None:
    zone = timezone(timedelta(hours=2), "CEST")
    sentence = assess_production(facts(api=_SILENT), zone=zone).component("api").sentence
    moment = datetime.fromtimestamp((NOW - 12_000_000) / 1e6, UTC).astimezone(zone)
    assert f"{moment:%Y-%m-%d %H:%M:%S} CEST" in sentence


def test_a_entry_point_that_does_not_ask_mlflow_leaves_it_out() -> None:
    status = assess_production(facts(tracking=None))
    with pytest.raises(KeyError, match="tracking"):
        status.component("tracking")
    assert "tracking" not in status.as_dict()["components"]


def test_a_later_sighting_of_the_caller_replaces_an_earlier_one() -> None:
    seen = facts(api=_SILENT).with_api_seen_at(NOW - 1_000_000)
    assert "1 second ago" in assess_production(seen).component("api").sentence
    assert facts().with_api_seen_at(NOW - HOUR_US) == facts()
    assert facts().saw_api
    assert not facts(api=_SILENT).saw_api
