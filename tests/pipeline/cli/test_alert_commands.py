"""`mlops alerts` lists, acknowledges, silences and resolves incidents."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING

import pytest

from pipeline import state as store
from tests.pipeline.registry.test_model_registry import NAME

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fixtures.cli import CliRun, CliRunner

    Alerts = Callable[..., CliRun]

pytestmark = pytest.mark.usefixtures("heavy_computation")


@pytest.fixture
def alerts(model_project: Path, run_cli: CliRunner, monkeypatch: pytest.MonkeyPatch) -> Alerts:
    """Run `mlops alerts WORDS` as ada in a project with one open incident, number 1."""
    monkeypatch.setenv("MLOPS_ACTOR", "ada")
    now = time.time_ns() // 1000
    state = store.open_state(model_project)
    with state.writing() as connection:
        incident = store.Incident(
            group_name="drift:age",
            rules=("drift",),
            severity="warning",
            title="age drifted",
            model=NAME,
            message="mean rose from 1 to 2",
            details={},
            opened_at=now,
            last_seen_at=now,
        )
        assert store.add_incident(connection, incident) == 1
    state.close()
    return lambda *words: run_cli("alerts", *words, cwd=model_project)


def test_list_prints_open_incidents(alerts: Alerts) -> None:
    head, line = alerts("list").out.splitlines()
    assert head.split() == ["incident", "opened", "severity", "status", "model", "title"]
    assert re.fullmatch(rf"1 +\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d UTC  warning   open    {NAME}  age drifted", line)
    assert [incident["group_name"] for incident in json.loads(alerts("list", "--json").out)["incidents"]] == [
        "drift:age"
    ]
    assert alerts("list", "--model", "other").out.startswith("no open incident. Unknown until the monitor runs")


def test_show_prints_the_report(alerts: Alerts) -> None:
    lines = alerts("show", "1").out.splitlines()
    assert lines[0].endswith(f"{NAME}: age drifted")
    assert lines[lines.index("Findings") + 1] == "  mean rose from 1 to 2"
    assert lines[-1] == "  Acknowledge it, so that receivers are not notified again: mlops alerts ack 1"
    assert json.loads(alerts("show", "1", "--json").out)["message"] == "mean rose from 1 to 2"


def test_ack_records_the_actor(alerts: Alerts) -> None:
    assert "acknowledged by ada" in alerts("ack", "1", "--reason", "on it").out
    assert json.loads(alerts("show", "1", "--json").out)["acknowledged_by"] == "ada"


def test_a_resolved_incident_is_listed_only_with_all(alerts: Alerts) -> None:
    assert json.loads(alerts("resolve", "1", "--json").out)["status"] == "resolved"
    assert alerts("list").out.startswith("no open incident. Unknown until the monitor runs. Next: run")
    assert "resolved by ada" in alerts("list", "--all").out


def test_resolve_warns_of_rules_that_still_fire(alerts: Alerts, model_project: Path) -> None:
    state = store.open_state(model_project)
    with state.writing() as connection:
        rules = [{"rule": "drift", "is_firing": True, "summary": "1 of 9 distributions drifted"}]
        store.add_monitor_run(
            connection, store.MonitorRun(NAME, 1, 1, 0, 1, "drift", severity=None, summary={"rules": rules})
        )
    state.close()
    message = "incident 1 still fires and may open again: 1 of 9 distributions drifted\n"
    assert alerts("resolve", "1").err.endswith(message)


def test_a_silence_of_a_group_is_listed_until_it_is_ended(alerts: Alerts) -> None:
    created = alerts("silence", "--minutes", "60", "--incident-group", "drift:age", "--reason", "retraining").out
    assert created.startswith(f"silence 1: drift:age of {NAME} until ")
    assert created.endswith(", by ada (retraining)\n")
    assert created in alerts("list").out
    assert alerts("silence", "--end", "1").exit_code == 0
    assert "silence" not in alerts("list").out


def test_a_silence_without_a_group_covers_all_incidents(alerts: Alerts) -> None:
    assert f"silence 1: all incidents of {NAME} until " in alerts("silence", "--minutes", "5").out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("silence",), "pass either `--minutes 60` or `--end NUMBER`"),
        (("silence", "--minutes", "5", "--end", "1"), "pass either `--minutes 60` or `--end NUMBER`"),
        (("show", "7"), "7"),
        (("ack", "7"), "7"),
    ],
)
def test_a_wrong_argument_exits_with_code_2(alerts: Alerts, words: tuple[str, ...], message: str) -> None:
    run = alerts(*words)
    assert (run.exit_code, message in run.err) == (2, True)


def test_deliver_reports_the_number_of_sent_messages(alerts: Alerts) -> None:
    assert alerts("deliver").out == "0 messages sent\n"
    assert json.loads(alerts("deliver", "--json").out)["sent"] == 0
