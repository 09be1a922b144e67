"""What the overlays render to is what Kubernetes accepts, and what its restricted policy and ours ask for."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Any

import jsonschema
import kubernetes_validate
import pytest
import typer.main
import yaml

from pipeline.cli.root_command import app
from pipeline.config.composition import compose
from tests.deploy import dockerfile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MANIFESTS_DIR = dockerfile.ROOT / "deploy/kubernetes"
SCHEMAS_DIR = dockerfile.ROOT / "tests/deploy/schemas"
OVERLAYS = ("local", "production", "kserve", "grpc", "scale")
# The oldest and the newest interface that the schemas are shipped for and that clusters of today speak.
KUBERNETES_VERSIONS = ("1.32", "1.36")
CUSTOM_RESOURCE_GROUPS = ("serving.kserve.io/", "monitoring.coreos.com/", "keda.sh/", "kubernetes.dask.org/")
# Kinds of other operators, by the schemas that these publish.
CUSTOM_SCHEMAS = {"ScaledObject": "keda_scaledobject", "DaskCluster": "dask_cluster"}
# Components that no shipped overlay has, in overlays as a person would write them.
_OWN_OVERLAYS = {"kserve": ("kserve",), "grpc": ("grpc",), "scale": ("stream", "parts", "dask")}
# Their entry point is `mlops`.
COMMAND_IMAGES = ("mlops-pipeline", "mlops-scale")
_DASK_PODS = ("scheduler", "worker")


@cache
def render_overlay(overlay: str, work_dir: Path) -> tuple[dict[str, Any], ...]:
    """Return the manifests of an overlay, or of one as a person would write it."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl 1.21 or newer is not installed (Debian's is older and knows no components)")
    folder = MANIFESTS_DIR / "overlays" / overlay
    if overlay in _OWN_OVERLAYS:
        shutil.copytree(MANIFESTS_DIR, work_dir, dirs_exist_ok=True)
        folder = work_dir / "overlays" / overlay
        folder.mkdir(parents=True)
        components = ", ".join(f"../../components/{name}" for name in _OWN_OVERLAYS[overlay])
        text = f"resources: [../../base]\ncomponents: [{components}]\nnamespace: mlops\n"
        (folder / "kustomization.yaml").write_text(text, encoding="utf-8")
    done = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return tuple(yaml.safe_load_all(done.stdout))


@pytest.fixture(params=OVERLAYS)
def manifests(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], ...]:
    return render_overlay(request.param, tmp_path_factory.getbasetemp() / "kustomize")


def pod_templates(manifests: tuple[dict[str, Any], ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each template of pods with the labels that its pods get."""
    for manifest in manifests:
        spec = manifest.get("spec", {})
        if manifest["kind"] == "CronJob":
            spec = spec["jobTemplate"]["spec"]
        if manifest["kind"] == "InferenceService":
            yield (
                manifest["metadata"]["name"],
                {"spec": spec["predictor"], "metadata": {"labels": spec["predictor"]["labels"]}},
            )
        elif manifest["kind"] == "DaskCluster":
            yield from ((f"{manifest['metadata']['name']} {name}", spec[name]) for name in _DASK_PODS)
        elif "template" in spec:
            yield manifest["metadata"]["name"], spec["template"]


def read_custom_schema(kind: str) -> dict[str, Any]:
    """Return the published schema of a kind of another operator."""
    path = SCHEMAS_DIR / f"{CUSTOM_SCHEMAS[kind]}.json"
    schema: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return schema


def containers_of(pod: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the containers of a pod, those that run before the others too."""
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def restricted_policy_violations(pod: dict[str, Any]) -> list[str]:
    """Return what the Pod Security Standard `restricted` refuses of a pod."""
    pod_context = pod["spec"].get("securityContext", {})
    violations = [f"host: {key}" for key in ("hostNetwork", "hostPID", "hostIPC") if pod["spec"].get(key)]
    allowed = {
        "emptyDir",
        "secret",
        "configMap",
        "persistentVolumeClaim",
        "projected",
        "downwardAPI",
        "csi",
        "ephemeral",
    }
    violations += [f"volume {v['name']}" for v in pod["spec"].get("volumes", []) if not (set(v) - {"name"}) <= allowed]
    for container in containers_of(pod):
        context = pod_context | container.get("securityContext", {})
        requirements = {
            "runAsNonRoot": context.get("runAsNonRoot") is True and context.get("runAsUser") != 0,
            "allowPrivilegeEscalation": context.get("allowPrivilegeEscalation") is False,
            "capabilities": context.get("capabilities") == {"drop": ["ALL"]},
            "seccompProfile": context.get("seccompProfile", {}).get("type") == "RuntimeDefault",
            "privileged": not context.get("privileged"),
            "hostPort": not any("hostPort" in port for port in container.get("ports", [])),
        }
        violations += [f"{container['name']}: {key}" for key, holds in requirements.items() if not holds]
    return violations


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
def test_the_cluster_accepts_every_field(manifests: tuple[dict[str, Any], ...], version: str) -> None:
    core_manifests = [
        manifest for manifest in manifests if not manifest["apiVersion"].startswith(CUSTOM_RESOURCE_GROUPS)
    ]
    for manifest in core_manifests:
        kubernetes_validate.validate(manifest, version, strict=True)
    assert len(core_manifests) >= 12


def test_operators_accept_every_field(tmp_path_factory: pytest.TempPathFactory) -> None:
    manifests = render_overlay("scale", tmp_path_factory.getbasetemp() / "kustomize")
    kinds = [manifest["kind"] for manifest in manifests if manifest["kind"] in CUSTOM_SCHEMAS]
    assert sorted(kinds) == sorted(CUSTOM_SCHEMAS)
    for manifest in manifests:
        if manifest["kind"] in CUSTOM_SCHEMAS:
            jsonschema.validate(manifest, read_custom_schema(manifest["kind"]))


@pytest.mark.parametrize("kind", CUSTOM_SCHEMAS)
def test_the_schemas_of_operators_refuse_an_unknown_field(kind: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    manifests = render_overlay("scale", tmp_path_factory.getbasetemp() / "kustomize")
    manifest = next(manifest for manifest in manifests if manifest["kind"] == kind)
    wrong = manifest | {"spec": manifest["spec"] | {"idleTimeOut": 1}}
    with pytest.raises(jsonschema.ValidationError, match="idleTimeOut"):
        jsonschema.validate(wrong, read_custom_schema(kind))


def test_kubernetes_accepts_the_pods_of_the_dask_cluster(tmp_path_factory: pytest.TempPathFactory) -> None:
    manifests = render_overlay("scale", tmp_path_factory.getbasetemp() / "kustomize")
    cluster = next(manifest for manifest in manifests if manifest["kind"] == "DaskCluster")
    for name in _DASK_PODS:
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": cluster["spec"][name]["spec"]}
        for version in KUBERNETES_VERSIONS:
            kubernetes_validate.validate(pod, version, strict=True)


def test_the_scaler_of_the_stream_selects_its_consumers(tmp_path_factory: pytest.TempPathFactory) -> None:
    manifests = render_overlay("scale", tmp_path_factory.getbasetemp() / "kustomize")
    by_kind = {(manifest["kind"], manifest["metadata"]["name"]): manifest for manifest in manifests}
    scaler = by_kind["ScaledObject", "stream"]["spec"]
    stream = compose(["stream=kafka"], conf=dockerfile.ROOT / "conf").values["stream"]
    trigger = scaler["triggers"][0]["metadata"]
    assert ("Deployment", scaler["scaleTargetRef"]["name"]) in by_kind
    assert "replicas" not in by_kind["Deployment", "stream"]["spec"]
    assert (trigger["consumerGroup"], trigger["topic"]) == (stream["group"], stream["topics"]["events"])
    assert trigger["bootstrapServersFromEnv"] in by_kind["ConfigMap", "mlops"]["data"]


def test_every_pod_is_allowed_by_the_restricted_policy(manifests: tuple[dict[str, Any], ...]) -> None:
    violations = {name: restricted_policy_violations(pod) for name, pod in pod_templates(manifests)}
    assert (len(violations) >= 3, {name: names for name, names in violations.items() if names}) == (True, {})


def test_the_policy_of_these_tests_refuses_what_is_not_restricted() -> None:
    pod = {
        "spec": {"hostNetwork": True, "volumes": [{"name": "disk", "hostPath": {}}], "containers": [{"name": "one"}]}
    }
    violations = restricted_policy_violations(pod)
    assert violations[:2] == ["host: hostNetwork", "volume disk"]
    assert len(violations) == 6


def test_every_pod_has_a_read_only_root_no_token_and_limits(manifests: tuple[dict[str, Any], ...]) -> None:
    for name, pod in pod_templates(manifests):
        assert pod["spec"]["automountServiceAccountToken"] is False, name
        for container in containers_of(pod):
            assert container["securityContext"]["readOnlyRootFilesystem"] is True, name
            assert {"cpu", "memory"} <= set(container["resources"]["requests"]), name
            assert "memory" in container["resources"]["limits"], name


def test_no_manifest_contains_a_secret(manifests: tuple[dict[str, Any], ...]) -> None:
    kinds = Counter(manifest["kind"] for manifest in manifests)
    literal = [
        variable["name"]
        for _, pod in pod_templates(manifests)
        for container in containers_of(pod)
        for variable in container.get("env", [])
        if "PASSWORD" in variable["name"] and "value" in variable
    ]
    assert (kinds["Secret"], literal) == (0, [])


def test_traffic_is_refused_unless_a_policy_allows_it(manifests: tuple[dict[str, Any], ...]) -> None:
    policies = [manifest["spec"] for manifest in manifests if manifest["kind"] == "NetworkPolicy"]
    assert {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]} in policies
    named = [pod["metadata"]["labels"] for _, pod in pod_templates(manifests)]
    for policy in policies:
        labels = policy["podSelector"].get("matchLabels", {}).items()
        assert any(labels <= labels_of_pod.items() for labels_of_pod in named), f"{labels} selects nobody"


def test_services_budgets_and_scalers_select_existing_pods(manifests: tuple[dict[str, Any], ...]) -> None:
    named = [pod["metadata"]["labels"] for _, pod in pod_templates(manifests)]
    for manifest in manifests:
        if manifest["kind"] in {"Service", "PodDisruptionBudget"}:
            selector = manifest["spec"]["selector"]
            selected = selector.get("matchLabels", selector).items()
            assert any(selected <= labels.items() for labels in named), manifest["metadata"]["name"]


@pytest.mark.parametrize("form", ["local", "production"])
def test_a_rollout_never_reduces_the_ready_replicas(form: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    manifests = render_overlay(form, tmp_path_factory.getbasetemp() / "kustomize")
    spec = next(
        manifest["spec"]
        for manifest in manifests
        if (manifest["kind"], manifest["metadata"]["name"]) == ("Deployment", "api")
    )
    container = spec["template"]["spec"]["containers"][0]
    rolling = (spec["replicas"], spec["strategy"]["rollingUpdate"])
    assert rolling == (3, {"maxUnavailable": 0, "maxSurge": 1})
    assert {"startupProbe", "livenessProbe", "readinessProbe", "lifecycle"} <= set(container)
    wait_s = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    # The pod leaves the endpoints while it still responds, and ten seconds are left for the requests in flight.
    assert wait_s + 10 < spec["template"]["spec"]["terminationGracePeriodSeconds"]
    assert len(spec["template"]["spec"]["topologySpreadConstraints"]) == 2


@pytest.mark.parametrize("form", ["local", "scale"])
def test_images_of_the_manifests_are_targets_of_the_dockerfile(
    form: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    manifests = render_overlay(form, tmp_path_factory.getbasetemp() / "kustomize")
    images = {container["image"] for _, pod in pod_templates(manifests) for container in containers_of(pod)}
    assert {image.removeprefix("mlops-") for image in images if image.startswith("mlops-")} <= set(
        dockerfile.read_stages()
    )


def test_every_command_of_a_pod_exists_with_its_options(tmp_path_factory: pytest.TempPathFactory) -> None:
    manifests = render_overlay("scale", tmp_path_factory.getbasetemp() / "kustomize")
    lines = {
        container["name"]: container["args"]
        for _, pod in pod_templates(manifests)
        for container in containers_of(pod)
        if container["image"] in COMMAND_IMAGES and "command" not in container
    }
    assert {"loop", "stream", "stream-outcomes", "plan", "run", "commit"} <= set(lines)
    for line in lines.values():
        words, command = [re.sub(r"\$\(\w+\)", "0", word) for word in line], typer.main.get_command(app)
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]  # type: ignore[attr-defined]
        with command.make_context(command.name, words) as context:
            assert context.args == []


def test_images_of_compose_are_targets_of_the_dockerfile() -> None:
    services = yaml.safe_load((MANIFESTS_DIR.parent / "docker/compose.yaml").read_text(encoding="utf-8"))["services"]
    assert {"postgres", "migrate", "api", "app", "monitor", "loop", "mlflow", "prometheus", "grafana"} <= set(services)
    targets = {service["build"]["target"] for service in services.values() if "build" in service}
    assert targets <= set(dockerfile.read_stages())
