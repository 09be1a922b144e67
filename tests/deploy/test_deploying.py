"""`mlops deploy` against servers that run: it decides once, waits, tests, and takes back what fails."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from pipeline.cli.root import app
from pipeline.deploying import ServingEndpoint, deploy
from pipeline.errors import DependencyUnavailable, GateRefused, UsageError
from pipeline.registry import ModelRegistry, decisions
from pipeline.state import open_state
from tests.pipeline.serving.conftest import PASSED
from tests.pipeline.serving.http.running import MODEL, Running, make_project, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# One worker packs the models that these tests share.
pytestmark = pytest.mark.xdist_group("deploy")


def judged(root: Path, package: Path) -> ModelRegistry:
    """Register a package that has passed its gates."""
    registry = ModelRegistry(root, tracking_uri="http://127.0.0.1:1")
    state = open_state(root)
    kept = registry.packages
    decisions.register(state, kept, MODEL, kept.add(package), tags={}, gates=PASSED, description="")
    state.close()
    return registry


@pytest.fixture(scope="module")
def server(packages: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Version 1 serves in Production; version 2 has passed its gates."""
    root = tmp_path_factory.mktemp("deployed")
    make_project(root, [packages[0]])
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLOPS_STATE_URL", raising=False)
        judged(root, packages[1])
        with running(root) as one:
            yield one


@pytest.fixture
def registry(server: Running) -> Iterator[ModelRegistry]:
    """The registry of the running project, put back to version 1 at the end."""
    one = ModelRegistry(server.root, tracking_uri="http://127.0.0.1:1")
    yield one
    if one.current_deployment(MODEL).version("Production") != 1:
        one.rollback_model(MODEL, to=1, reason="the next test")


def deployed(registry: ModelRegistry, server: Running, *, version: int = 2, wait_s: float = 10.0) -> bool:
    return deploy(
        registry, MODEL, "production", ServingEndpoint(server.address, success_threshold=3), version=version, wait_s=wait_s
    ).is_new


def test_a_version_is_deployed_once_however_often_it_is_asked_for(registry: ModelRegistry, server: Running) -> None:
    first = deployed(registry, server)
    generation = registry.current_deployment(MODEL).generation
    second = deployed(registry, server)
    assert (first, second, registry.current_deployment(MODEL).generation) == (True, False, generation)
    assert registry.history(MODEL)[-1].reason == "deploy to production"


def test_what_does_not_serve_in_time_is_taken_back(registry: ModelRegistry, server: Running) -> None:
    with pytest.raises(DependencyUnavailable, match=r"does not answer .*taken back: Production has version 1 again"):
        deploy(registry, MODEL, "production", ServingEndpoint("http://127.0.0.1:1"), version=2, wait_s=0)
    entry = registry.history(MODEL)[-1]
    assert (registry.current_deployment(MODEL).version("Production"), entry.action) == (1, "rollback")


def test_answers_other_than_packaged_take_a_version_back(
    packages: tuple[Path, Path], server: Running, registry: ModelRegistry, tmp_path: Path
) -> None:
    deployed(registry, server)
    # The address of another environment, in which version 2 is another model.
    make_project(tmp_path / "elsewhere", [packages[1]])
    elsewhere = judged(tmp_path / "elsewhere", packages[0])
    with pytest.raises(GateRefused, match=r"golden rows are answered as packaged: a probability is off .*taken back"):
        deployed(elsewhere, server)
    assert elsewhere.current_deployment(MODEL).version("Production") == 1


def test_what_serves_customers_is_not_taken_back_to_its_trial(registry: ModelRegistry, server: Running) -> None:
    deployed(registry, server)
    done = deploy(registry, MODEL, "staging", ServingEndpoint("http://127.0.0.1:1"))
    assert (done.stage, done.is_new, registry.current_deployment(MODEL).versions) == ("production", False, {"Production": 2})


@pytest.fixture
def two(packages: tuple[Path, Path], tmp_path: Path) -> ModelRegistry:
    """A project with version 1 in Production, and version 2, which has passed its gates."""
    make_project(tmp_path, [packages[0]])
    return judged(tmp_path, packages[1])


def test_what_the_graph_staged_gives_way_to_the_one_before_when_its_trial_fails(two: ModelRegistry) -> None:
    two.promote_model(MODEL, 1, "Staging", force=True, reason="the one before")
    two.promote_model(MODEL, 2, "Staging", reason="policy staging")
    with pytest.raises(DependencyUnavailable, match=r"does not answer .*taken back: Staging has version 1 again"):
        deploy(two, MODEL, "staging", ServingEndpoint("http://127.0.0.1:1"), wait_s=0)
    entry = two.history(MODEL)[-1]
    assert (two.current_deployment(MODEL).versions, entry.reason) == ({"Staging": 1}, "deploying version 2 to Staging failed")


def test_a_first_trial_that_fails_leaves_nothing_in_staging(two: ModelRegistry) -> None:
    two.promote_model(MODEL, 2, "Staging", reason="policy staging")
    with pytest.raises(DependencyUnavailable, match="taken back: Staging has nothing again"):
        deploy(two, MODEL, "staging", ServingEndpoint("http://127.0.0.1:1"), wait_s=0)
    assert two.current_deployment(MODEL).versions == {"Production": 1}


def test_what_no_gate_let_through_is_not_deployed(registry: ModelRegistry, server: Running) -> None:
    deployed(registry, server)
    generation = registry.current_deployment(MODEL).generation
    with pytest.raises(GateRefused, match="never judged"):
        deployed(registry, server, version=1)
    assert registry.current_deployment(MODEL).generation == generation


def test_production_takes_what_staging_tried(registry: ModelRegistry, server: Running) -> None:
    with pytest.raises(UsageError, match="--stage 'live': accepted is one of staging, production"):
        deploy(registry, MODEL, "live", ServingEndpoint(server.address))
    registry.promote_model(MODEL, 2, "Staging")
    done = deploy(registry, MODEL, "production", ServingEndpoint(server.address, success_threshold=3))
    assert (done.version, done.n_tests) == (2, 6)


def test_the_command_says_what_it_did(
    server: Running, registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(server.root)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    words = ["deploy", "--stage", "production", "--version", "2", "--url", server.address, "--replicas", "1"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert f"{MODEL}: version 2 now serves in production at {server.address}" in done.output
