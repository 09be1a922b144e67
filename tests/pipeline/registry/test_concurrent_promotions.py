"""Concurrent or killed promotions leave either the old or the new deployment."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import pytest

from pipeline import files
from pipeline.config.composition import compose
from tests.fixtures.proof import proof_rounds
from tests.fixtures.toy_dataset import ROOT
from tests.pipeline.registry.promoter import Promoter
from tests.pipeline.registry.test_mlflow_mirror import shown
from tests.pipeline.registry.test_model_registry import NAME, add

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.registry import ModelRegistry

ROUNDS = proof_rounds(3, long=100)
KILLS = proof_rounds(3, long=50)

pytestmark = pytest.mark.usefixtures("starts_processes")


@pytest.fixture
def project(registry: ModelRegistry, candidates: dict[str, Path], tmp_path: Path) -> ModelRegistry:
    """A project's folder with three versions that passed."""
    files.write_text(tmp_path / "params.yaml", compose((), conf=ROOT / "conf").text)
    (tmp_path / "dvc.yaml").touch()
    for folder in candidates.values():
        add(registry, folder)
    return registry


@pytest.fixture
def promoters(project: ModelRegistry, tmp_path: Path) -> Iterator[list[Promoter]]:
    started = [Promoter(tmp_path, MLOPS_ACTOR=f"promoter_{at}") for at in range(4)]
    yield started
    for promoter in started:
        promoter.close()


def mirror_is_equal(registry: ModelRegistry, root: Path) -> bool:
    aliases, stages = shown(root)
    served = registry.current_deployment(NAME).versions
    return aliases == {stage.lower(): str(number) for stage, number in served.items()} and stages == {
        str(version.version): version.stage for version in registry.list_models(NAME)
    }


def test_of_four_promoters_at_once_one_wins_and_three_end_with_code_6(
    project: ModelRegistry, promoters: list[Promoter], tmp_path: Path
) -> None:
    before = len(project.history(NAME))
    for generation in range(ROUNDS):
        for at, one in enumerate(promoters):
            version = (generation + at) % 3 + 1
            one.send("promote", version, "--expected-generation", generation, "--reason", "race")
        assert sorted(one.wait_for_exit_code() for one in promoters) == [0, 6, 6, 6]
    assert [one.generation for one in project.history(NAME)[before:]] == list(range(1, ROUNDS + 1))
    assert project.verify_history().is_intact
    assert mirror_is_equal(project, tmp_path)


def test_a_kill_at_any_moment_of_a_promotion_leaves_the_old_or_the_new(project: ModelRegistry, tmp_path: Path) -> None:
    moments = random.Random(6)
    project.promote_model(NAME, 1, "Production")
    duration = 0.5
    for _ in range(KILLS):
        before = project.current_deployment(NAME)
        target = before.versions["Production"] % 3 + 1
        promoter = Promoter(tmp_path)
        promoter.send("audit", "list")  # everything is imported when the moment counts
        promoter.wait_for_exit_code()
        started = time.monotonic()
        promoter.send("promote", target)
        time.sleep(moments.uniform(0, duration))
        promoter.kill()
        duration = max(duration, min(2.0, time.monotonic() - started))
        after = project.current_deployment(NAME)
        assert (after.generation, after.versions) in [
            (before.generation, before.versions),
            (before.generation + 1, {"Production": target}),
        ]
        assert project.list_models(NAME)[after.versions["Production"] - 1].stage == "Production"
        assert project.verify_history().is_intact
        assert project.load_model(NAME).digest == after.digests["Production"]
    assert project.mirror().error is None
    assert mirror_is_equal(project, tmp_path)
