"""`mlops deploy` against servers that run: it decides once, waits, tests, and takes back what fails."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.errors import DependencyUnavailable, GateRefused, UsageError
from pipeline.lifecycle.rollout import ServingEndpoint, roll_out_version
from pipeline.registry import ModelRegistry, stage_transitions
from pipeline.state import open_state
from tests.fixtures.registered_project import PASSED
from tests.fixtures.server_process import MODEL_NAME, RunningServer, make_project, run_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fixtures.cli import CliRunner

# One worker packs the models that these tests share.
pytestmark = [pytest.mark.xdist_group("deploy"), pytest.mark.usefixtures("heavy_computation")]


def register_approved(root: Path, package: Path) -> ModelRegistry:
    """Register a package that has passed its gates."""
    registry = ModelRegistry(root, tracking_uri="http://127.0.0.1:1")
    state = open_state(root)
    packages = registry.packages
    stage_transitions.register_package(
        state, packages, MODEL_NAME, candidate=packages.add(package), tags={}, gates=PASSED, description=""
    )
    state.close()
    return registry


@pytest.fixture(scope="module")
def server(two_packages: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Version 1 serves in Production; version 2 has passed its gates."""
    root = tmp_path_factory.mktemp("deployed")
    make_project(root, [two_packages[0]])
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLOPS_STATE_URL", raising=False)
        register_approved(root, two_packages[1])
        with run_server(root) as running_server:
            yield running_server


@pytest.fixture
def registry(server: RunningServer) -> Iterator[ModelRegistry]:
    """The registry of the running project, put back to version 1 at the end."""
    registry = ModelRegistry(server.root, tracking_uri="http://127.0.0.1:1")
    yield registry
    if registry.current_deployment(MODEL_NAME).version("Production") != 1:
        registry.rollback_model(MODEL_NAME, to=1, reason="the next test")


def deploy_version(registry: ModelRegistry, server: RunningServer, *, version: int = 2, wait_s: float = 10.0) -> bool:
    return roll_out_version(
        registry,
        MODEL_NAME,
        "production",
        endpoint=ServingEndpoint(server.address, success_threshold=3),
        version=version,
        wait_s=wait_s,
    ).is_new


def test_repeated_deploys_of_a_version_deploy_it_once(registry: ModelRegistry, server: RunningServer) -> None:
    first = deploy_version(registry, server)
    generation = registry.current_deployment(MODEL_NAME).generation
    second = deploy_version(registry, server)
    assert (first, second, registry.current_deployment(MODEL_NAME).generation) == (True, False, generation)
    assert registry.history(MODEL_NAME)[-1].reason == "deploy to production"


def test_a_version_that_is_not_live_in_time_is_rolled_back(registry: ModelRegistry, server: RunningServer) -> None:
    with pytest.raises(DependencyUnavailable, match=r"no response .*rolled back: Production has version 1 again"):
        roll_out_version(
            registry, MODEL_NAME, "production", endpoint=ServingEndpoint("http://127.0.0.1:1"), version=2, wait_s=0
        )
    entry = registry.history(MODEL_NAME)[-1]
    assert (registry.current_deployment(MODEL_NAME).version("Production"), entry.action) == (1, "rollback")


def test_predictions_that_differ_from_the_package_roll_a_version_back(
    two_packages: tuple[Path, Path], server: RunningServer, registry: ModelRegistry, tmp_path: Path
) -> None:
    deploy_version(registry, server)
    # The address of another environment, in which version 2 is another model.
    make_project(tmp_path / "elsewhere", [two_packages[1]])
    elsewhere = register_approved(tmp_path / "elsewhere", two_packages[0])
    with pytest.raises(
        GateRefused, match=r"golden rows give the packaged probabilities: a probability differs .*rolled back"
    ):
        deploy_version(elsewhere, server)
    assert elsewhere.current_deployment(MODEL_NAME).version("Production") == 1


def test_a_production_version_is_not_rolled_back_to_staging(registry: ModelRegistry, server: RunningServer) -> None:
    deploy_version(registry, server)
    done = roll_out_version(registry, MODEL_NAME, "staging", endpoint=ServingEndpoint("http://127.0.0.1:1"))
    assert (done.stage, done.is_new, registry.current_deployment(MODEL_NAME).versions) == (
        "production",
        False,
        {"Production": 2},
    )


@pytest.fixture
def two(two_packages: tuple[Path, Path], tmp_path: Path) -> ModelRegistry:
    """A project with version 1 in Production, and version 2, which has passed its gates."""
    make_project(tmp_path, [two_packages[0]])
    return register_approved(tmp_path, two_packages[1])


def test_a_failed_trial_restores_the_previous_staging_version(two: ModelRegistry) -> None:
    two.promote_model(MODEL_NAME, 1, "Staging", force=True, reason="the one before")
    two.promote_model(MODEL_NAME, 2, "Staging", reason="policy staging")
    with pytest.raises(DependencyUnavailable, match=r"no response .*rolled back: Staging has version 1 again"):
        roll_out_version(two, MODEL_NAME, "staging", endpoint=ServingEndpoint("http://127.0.0.1:1"), wait_s=0)
    entry = two.history(MODEL_NAME)[-1]
    assert (two.current_deployment(MODEL_NAME).versions, entry.reason) == (
        {"Staging": 1},
        "deploying version 2 to Staging failed",
    )


def test_a_first_trial_that_fails_leaves_nothing_in_staging(two: ModelRegistry) -> None:
    two.promote_model(MODEL_NAME, 2, "Staging", reason="policy staging")
    with pytest.raises(DependencyUnavailable, match="rolled back: Staging has no version again"):
        roll_out_version(two, MODEL_NAME, "staging", endpoint=ServingEndpoint("http://127.0.0.1:1"), wait_s=0)
    assert two.current_deployment(MODEL_NAME).versions == {"Production": 1}


def test_a_version_that_failed_its_gates_is_not_deployed(registry: ModelRegistry, server: RunningServer) -> None:
    deploy_version(registry, server)
    generation = registry.current_deployment(MODEL_NAME).generation
    with pytest.raises(GateRefused, match="never evaluated"):
        deploy_version(registry, server, version=1)
    assert registry.current_deployment(MODEL_NAME).generation == generation


def test_production_takes_what_staging_tried(registry: ModelRegistry, server: RunningServer) -> None:
    with pytest.raises(UsageError, match="--stage 'live': expected one of staging, production"):
        roll_out_version(registry, MODEL_NAME, "live", endpoint=ServingEndpoint(server.address))
    registry.promote_model(MODEL_NAME, 2, "Staging")
    done = roll_out_version(
        registry, MODEL_NAME, "production", endpoint=ServingEndpoint(server.address, success_threshold=3)
    )
    assert (done.version, done.n_tests) == (2, 6)


def test_the_command_prints_the_result(
    server: RunningServer, registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch, run_cli: CliRunner
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    words = ["deploy", "--stage", "production", "--version", "2", "--url", server.address, "--replicas", "1"]
    run = run_cli(*words, cwd=server.root)
    assert run.exit_code == 0, run.err
    assert f"{MODEL_NAME}: version 2 is now deployed in production at {server.address}" in run.out
