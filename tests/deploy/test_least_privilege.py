"""Each service of Compose and each pod of Kubernetes has only the privileges, passwords and addresses that it needs.

The rules stand in tables and are asked of every service and pod, so a new one cannot miss one.
"""

from __future__ import annotations

import copy
import re
import runpy
import stat
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.deploy import dockerfile
from tests.deploy.test_manifests import MANIFESTS_DIR, OVERLAYS, containers_of, pod_templates, render_overlay

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

COMPOSE = yaml.safe_load((dockerfile.ROOT / "deploy/docker/compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
STAGES = dockerfile.read_stages()
_VARIABLE = re.compile(r"\$\{([A-Z_]+)")
_PINNED = re.compile(r"[\w./:-]+@sha256:[0-9a-f]{64}")
_SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|KEY")
_MAKER = "run make up, which makes it"


def is_unprivileged_user(service: dict[str, Any]) -> bool:
    if "build" in service and "user" not in service:
        return STAGES[service["build"]["target"]].last_instruction("USER").split(":")[0] not in ("", "0", "root")
    return str(service.get("user", "0")).split(":")[0] not in ("", "0", "root")


def is_pinned(service: dict[str, Any]) -> bool:
    """Whether the image is built here, or is named by digest in a variable that an operator may set."""
    if "build" in service:
        return True
    default = re.fullmatch(r"\$\{[A-Z]+_IMAGE:-(.+)\}", service.get("image", ""))
    return default is not None and _PINNED.fullmatch(default[1]) is not None


def variables(value: object) -> set[str]:
    return set(_VARIABLE.findall(yaml.safe_dump(value)))


_HOST_KEYS = ("privileged", "network_mode", "pid", "ipc", "devices", "cap_add", "userns_mode", "cgroup_parent")
# A rule -> whether a service of Compose follows it.
COMPOSE_RULES: dict[str, Callable[[dict[str, Any]], bool]] = {
    "the root file system is read-only": lambda service: service.get("read_only") is True,
    "all capabilities are dropped": lambda service: service.get("cap_drop") == ["ALL"],
    "no new privileges": lambda service: "no-new-privileges:true" in service.get("security_opt", []),
    "no access to the host": lambda service: not any(service.get(key) for key in _HOST_KEYS),
    "no socket of the engine": lambda service: "docker.sock" not in str(service.get("volumes", [])),
    "another user than root": is_unprivileged_user,
    "an image by digest": is_pinned,
    "ports on loopback": lambda service: all(str(port).startswith("127.0.0.1:") for port in service.get("ports", [])),
    "no literal password": lambda service: all(
        "${" in str(value) or not _SECRET.search(name) for name, value in service.get("environment", {}).items()
    ),
    "configuration is mounted read-only": lambda service: all(
        volume.endswith(":ro") for volume in service.get("volumes", []) if volume.startswith(".")
    ),
}
# A service that breaks one rule, for each rule.
COMPOSE_VIOLATIONS: dict[str, dict[str, Any]] = {
    "the root file system is read-only": {"read_only": False},
    "all capabilities are dropped": {"cap_drop": ["NET_RAW"]},
    "no new privileges": {"security_opt": []},
    "no access to the host": {"pid": "host"},
    "no socket of the engine": {"volumes": ["/var/run/docker.sock:/var/run/docker.sock:ro"]},
    "another user than root": {"user": "0:0"},
    "an image by digest": {"image": "prom/prometheus:v3.5.0"},
    "ports on loopback": {"ports": ["9090:9090"]},
    "no literal password": {"environment": {"GF_SECURITY_ADMIN_PASSWORD": "admin"}},
    "configuration is mounted read-only": {"volumes": ["./prometheus.yml:/etc/prometheus/prometheus.yml"]},
}


@pytest.mark.parametrize("rule", COMPOSE_RULES)
def test_every_service_of_compose_follows_the_rule(rule: str) -> None:
    assert [name for name, service in SERVICES.items() if not COMPOSE_RULES[rule](service)] == []


@pytest.mark.parametrize("rule", COMPOSE_RULES)
def test_each_rule_refuses_a_service_that_breaks_it(rule: str) -> None:
    service = copy.deepcopy(SERVICES["prometheus"]) | COMPOSE_VIOLATIONS[rule]
    assert [name for name, holds in COMPOSE_RULES.items() if not holds(service)] == [rule]


def password_holders() -> dict[str, set[str]]:
    holders: dict[str, set[str]] = defaultdict(set)
    for name, service in SERVICES.items():
        for variable in variables(service):
            if not variable.endswith("_IMAGE"):
                holders[variable].add(name)
    return holders


# Upgrades, rights and retention are the work of the owner of the tables.
OWNERS = {"migrate", "grant", "retention"}


def test_a_password_is_known_to_the_service_that_checks_it_and_to_one_that_presents_it() -> None:
    holders = password_holders()
    assert holders.pop("OWNER_PASSWORD") - {"postgres"} == OWNERS
    assert {name: services for name, services in holders.items() if len(services) > 2} == {}


def test_each_service_logs_in_to_the_database_with_its_own_account() -> None:
    urls = {
        name: re.findall(r"//(\w+):\$\{(\w+)\}@postgres", str(service.get("environment")))
        for name, service in SERVICES.items()
    }
    accounts = {name: found[0][0] for name, found in urls.items() if found}
    assert {name for name, account in accounts.items() if account == "mlops_owner"} == OWNERS
    assert {name: account for name, account in accounts.items() if name not in OWNERS} == {
        "api": "mlops_api",
        "app": "mlops_app",
        "monitor": "mlops_monitor",
        "loop": "mlops_loop",
        "mlflow": "mlflow",
    }


def test_administrators_passwords_are_known_to_no_service_that_people_or_callers_reach() -> None:
    holders = password_holders()
    assert holders["POSTGRES_PASSWORD"] == {"postgres"}
    assert holders["MLFLOW_ADMIN_PASSWORD"] == {"mlflow", "mlflow-account"}
    assert holders["GRAFANA_PASSWORD"] == {"grafana"}


def test_each_password_is_asked_for_where_it_is_first_used() -> None:
    text = (dockerfile.ROOT / "deploy/docker/compose.yaml").read_text(encoding="utf-8")
    assert {name for name in password_holders() if f"${{{name}:?{_MAKER}}}" not in text} == set()


def read_passwords(path: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in path.read_text(encoding="utf-8").splitlines())


def test_make_up_creates_each_password_that_compose_asks_for_and_keeps_those_that_exist(tmp_path: Path) -> None:
    create = runpy.run_path(str(dockerfile.ROOT / "deploy/docker/create_passwords.py"))["create_passwords"]
    compose, environment = dockerfile.ROOT / "deploy/docker/compose.yaml", tmp_path / ".env"
    assert set(create(compose, environment)) == set(password_holders())
    passwords = read_passwords(environment)
    assert len(set(passwords.values())) == len(passwords)
    assert min(map(len, passwords.values())) >= 32
    assert stat.S_IMODE(environment.stat().st_mode) == 0o600
    remaining = {name: value for name, value in passwords.items() if name != "API_PASSWORD"}
    environment.write_text("\n".join(f"{name}={value}" for name, value in remaining.items()), encoding="utf-8")
    assert create(compose, environment) == ["API_PASSWORD"]
    assert read_passwords(environment).items() >= remaining.items()
    assert create(compose, environment) == []


def test_the_base_image_is_named_by_digest() -> None:
    text = dockerfile.DOCKERFILE.read_text(encoding="utf-8")
    images = re.findall(r"^ARG PYTHON_IMAGE=(.+)$", text, re.MULTILINE)
    assert [bool(_PINNED.fullmatch(image)) for image in images] == [True]


def test_postgresql_reaches_nothing_outside_and_is_reached_from_its_own_network() -> None:
    assert COMPOSE["networks"]["database"] == {"internal": True}
    assert SERVICES["postgres"]["networks"] == ["database"]
    clients = {name for name, service in SERVICES.items() if "@postgres/" in str(service.get("environment"))}
    assert {name for name, service in SERVICES.items() if "database" in service.get("networks", [])} - clients == {
        "postgres"
    }


def egress_labels(pod: dict[str, Any]) -> set[str]:
    return {label for label in pod["metadata"]["labels"] if label.startswith("mlops/reaches-")}


def allowed_anywhere(policies: list[dict[str, Any]]) -> list[str]:
    """Return the policies that allow traffic to any host or to any port."""
    found = []
    for policy in policies:
        for rule in policy["spec"].get("egress", []):
            blocks = [peer["ipBlock"]["cidr"] for peer in rule.get("to", []) if "ipBlock" in peer]
            is_wide = any(not peer for peer in rule.get("to", [])) or any(int(b.split("/")[1]) < 24 for b in blocks)
            if not rule.get("to") or not rule.get("ports") or is_wide:
                found.append(policy["metadata"]["name"])
    return found


@pytest.fixture(params=OVERLAYS)
def manifests(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], ...]:
    return render_overlay(request.param, tmp_path_factory.getbasetemp() / "kustomize")


def test_each_egress_rule_names_hosts_and_ports(manifests: tuple[dict[str, Any], ...]) -> None:
    policies = [manifest for manifest in manifests if manifest["kind"] == "NetworkPolicy"]
    assert (len(policies) >= 3, allowed_anywhere(policies)) == (True, [])


@pytest.mark.parametrize(
    "rule",
    [
        {"ports": [{"port": 443}]},
        {"to": [], "ports": [{"port": 443}]},
        {"to": [{}], "ports": [{"port": 443}]},
        {"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": [{"port": 5432}]},
        {"to": [{"ipBlock": {"cidr": "192.0.2.1/32"}}]},
    ],
)
def test_a_rule_to_any_host_or_port_is_found(rule: dict[str, Any]) -> None:
    assert allowed_anywhere([{"metadata": {"name": "wide"}, "spec": {"egress": [rule]}}]) == ["wide"]


@pytest.mark.parametrize("overlay", ["local", "production"])
def test_each_destination_of_pods_has_a_policy_and_each_policy_a_pod(
    overlay: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    manifests = render_overlay(overlay, tmp_path_factory.getbasetemp() / "kustomize")
    selected = {
        label
        for manifest in manifests
        if manifest["kind"] == "NetworkPolicy" and "Egress" in manifest["spec"]["policyTypes"]
        for label in manifest["spec"]["podSelector"].get("matchLabels", {})
    }
    asked = set().union(*(egress_labels(pod) for _, pod in pod_templates(manifests)))
    assert selected <= asked
    assert "mlops/reaches-database" in selected
    if overlay == "production":
        assert asked == selected


# Steps of one job, and the workers that run its parts, have one account: each reads the package and writes results.
PARTS_SECRET = {"mlops-parts"}
SCHEDULER = "parts scheduler"


def test_each_workload_takes_its_own_secret_and_no_other(manifests: tuple[dict[str, Any], ...]) -> None:
    secrets: dict[str, set[str]] = {}
    for name, pod in pod_templates(manifests):
        named = re.findall(r"secretRef': \{'name': '([\w-]+)'|secretKeyRef': \{.*?'name': '([\w-]+)'", str(pod["spec"]))
        own = {first or second for first, second in named}
        if name != SCHEDULER:  # it runs no part, so it reads nothing
            secrets["parts" if own == PARTS_SECRET else name] = own
    shared = {name: own & other for name, own in secrets.items() for also, other in secrets.items() if also != name}
    assert (all(len(own) == 1 for own in secrets.values()), set().union(*shared.values())) == (True, set())


def test_the_database_of_kubernetes_gets_the_accounts_of_compose() -> None:
    deploy = dockerfile.ROOT / "deploy"
    assert (MANIFESTS_DIR / "overlays/local/accounts.sql").read_text(encoding="utf-8") == (
        deploy / "docker/accounts.sql"
    ).read_text(encoding="utf-8")


@pytest.mark.parametrize("overlay", ["local", "production"])
def test_each_image_that_is_not_built_here_is_named_by_digest(
    overlay: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    manifests = render_overlay(overlay, tmp_path_factory.getbasetemp() / "kustomize")
    images = {container["image"] for _, pod in pod_templates(manifests) for container in containers_of(pod)}
    built_here = {f"mlops-{stage}" for stage in STAGES} if overlay == "local" else set()
    assert sorted(image for image in images - built_here if not _PINNED.fullmatch(image)) == []
