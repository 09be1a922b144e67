"""The alert rules: each is silent and fires as its unit file declares, and the operator gets the same rules."""

from __future__ import annotations

import re
from collections import defaultdict

import pytest
import yaml

from deploy.prometheus.operator_rules import OPERATOR_RULES, RULES, operator_rules
from tests.fixtures.prometheus_server import run_promtool
from tests.fixtures.toy_dataset import ROOT

UNIT_FILES = sorted((ROOT / "tests/deploy/alert_rules").glob("*.yaml"))


def alert_names() -> list[str]:
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule["alert"] for group in groups for rule in group["rules"]]


@pytest.mark.parametrize("path", UNIT_FILES, ids=lambda path: path.stem)
def test_rules_fire_for_their_series_alone(path: object, promtool: str) -> None:
    assert "SUCCESS" in run_promtool(promtool, "test", "rules", str(path))


def test_each_rule_has_a_case_in_which_it_fires_and_one_in_which_it_is_silent() -> None:
    cases: dict[str, set[bool]] = defaultdict(set)
    for path in UNIT_FILES:
        for declared in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]:
            for check in declared["alert_rule_test"]:
                cases[check["alertname"]].add(bool(check["exp_alerts"]))
    assert {name: cases[name] for name in alert_names()} == {name: {True, False} for name in alert_names()}


def test_rules_and_their_names_are_accepted_by_promtool(promtool: str) -> None:
    run_promtool(promtool, "check", "rules", "--lint=all", "--lint-fatal", RULES)
    assert len(set(alert_names())) == len(alert_names())


def test_the_configuration_of_compose_is_accepted_by_promtool(promtool: str) -> None:
    run_promtool(promtool, "check", "config", "--syntax-only", ROOT / "deploy/docker/prometheus.yml")


def test_the_operator_uses_the_same_alert_rules_as_a_standalone_server() -> None:
    written = OPERATOR_RULES.read_text(encoding="utf-8")
    assert written == operator_rules(RULES.read_text(encoding="utf-8")), (
        "run python deploy/prometheus/operator_rules.py"
    )
    assert yaml.safe_load(written)["spec"] == yaml.safe_load(RULES.read_text(encoding="utf-8"))


def test_the_documented_alerts_are_those_of_the_rules() -> None:
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    severities = {rule["alert"]: rule["labels"]["severity"] for group in groups for rule in group["rules"]}
    page = (ROOT / "docs/reference/alerts.md").read_text(encoding="utf-8")
    assert dict(re.findall(r"^\| `(Mlops\w+)` \| (\w+) \|", page, re.MULTILINE)) == severities
