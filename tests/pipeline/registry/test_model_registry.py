"""Versions, stages, gates and rollbacks through the public registry."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from pipeline.errors import Conflict, GateRefused, IntegrityError, UsageError
from pipeline.gates import Gate, GateReport
from tests.fixtures.toy_dataset import settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.registry import ModelRegistry
    from pipeline.state import ModelVersion

NAME = "personality_model"


def report(result: str = "pass", champion: str | None = None) -> GateReport:
    gate = Gate("limit ece", result, "0.02 of at most 0.015")  # type: ignore[arg-type]
    return GateReport("0" * 64, champion, (gate,))


def add(registry: ModelRegistry, folder: Path, result: str = "pass") -> ModelVersion:
    return registry.register_model(folder, NAME, gates=report(result))


def stages(registry: ModelRegistry) -> list[str]:
    return [version.stage for version in registry.list_models(NAME)]


def test_the_same_package_is_the_same_version(registry: ModelRegistry, candidates: dict[str, Path]) -> None:
    first, again = add(registry, candidates["first"]), add(registry, candidates["first"])
    assert first == again
    assert (first.version, first.semver, first.stage) == (1, "1.0.0", "None")


def test_semantic_versions_follow_the_kind_of_change(three: ModelRegistry) -> None:
    assert [version.semver for version in three.list_models(NAME)] == ["1.0.0", "1.0.1", "1.1.0"]
    assert three.get_latest_model_version(NAME).version == 3
    assert {version.name for version in three.list_models()} == {NAME}


def test_a_new_production_version_archives_the_old_one_and_is_loaded(three: ModelRegistry) -> None:
    three.promote_model(NAME, "1", "Production")
    three.promote_model(NAME, 3, "Production")
    assert stages(three) == ["Archived", "None", "Production"]
    loaded = three.load_model(NAME, stage="Production")
    assert loaded.digest == three.get_latest_model_version(NAME).digest
    assert three.load_model(NAME, version=1).manifest.model == "logistic_regression"


@pytest.mark.parametrize("result", ["fail", "hold"])
def test_failed_gates_refuse_a_promotion_without_force(
    registry: ModelRegistry, candidates: dict[str, Path], result: str
) -> None:
    add(registry, candidates["first"], result)
    with pytest.raises(GateRefused, match=r"limit ece \(0\.02 of at most 0\.015\)"):
        registry.promote_model(NAME, 1, "Production")
    with pytest.raises(UsageError, match="force needs a reason"):
        registry.promote_model(NAME, 1, "Production", force=True)
    registry.promote_model(NAME, 1, "Production", force=True, reason="the fair is tomorrow")
    entry = registry.history(NAME)[-1]
    assert (entry.actor, entry.action, entry.reason) == ("ada", "force", "the fair is tomorrow")
    assert entry.evidence["verdict"] == ("reject" if result == "fail" else "hold")


def test_a_version_without_gates_is_not_promoted(registry: ModelRegistry, candidates: dict[str, Path]) -> None:
    registry.register_model(candidates["first"], NAME, "Random Forest classifier")
    with pytest.raises(GateRefused, match="never evaluated"):
        registry.promote_model(NAME, 1, "Staging")
    assert registry.promote_model(NAME, 1, "Archived").after.versions == {}


def test_rollback_goes_back_step_by_step(three: ModelRegistry) -> None:
    for version in (1, 2, 3):
        three.promote_model(NAME, version, "Production")
    assert three.rollback_model(NAME).after.version("Production") == 2
    assert three.rollback_model(NAME).after.version("Production") == 1
    with pytest.raises(UsageError, match="no version was in Production before version 1"):
        three.rollback_model(NAME)
    assert three.rollback_model(NAME, to=3).after.version("Production") == 3
    assert [entry.generation for entry in three.history(NAME) if entry.generation] == [1, 2, 3, 4, 5, 6]
    assert three.verify_history().is_intact


def test_rollback_refuses_a_version_that_was_never_in_production(three: ModelRegistry) -> None:
    three.promote_model(NAME, 1, "Production")
    with pytest.raises(UsageError, match="version 2 was never in Production"):
        three.rollback_model(NAME, to=2)


def test_a_decision_on_an_old_generation_is_a_conflict(three: ModelRegistry) -> None:
    three.promote_model(NAME, 1, "Production", expected_generation=0)
    with pytest.raises(Conflict, match="generation 0 was expected"):
        three.promote_model(NAME, 2, "Production", expected_generation=0)
    assert stages(three) == ["Production", "None", "None"]


def test_a_package_that_was_changed_in_the_store_is_not_loaded(three: ModelRegistry) -> None:
    version = three.promote_model(NAME, 1, "Production").after
    path = three.packages.path(version.digests["Production"]) / "metrics.json"
    path.write_bytes(path.read_bytes().replace(b"0", b"1", 1))
    with pytest.raises(IntegrityError, match=r"metrics\.json"):
        three.load_model(NAME)


@pytest.mark.parametrize("name", ["", "../x", "a/b", "-x", "x" * 201])
def test_an_invalid_name_is_refused(registry: ModelRegistry, candidates: dict[str, Path], name: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"model name {name!r}")):
        registry.register_model(candidates["first"], name)


@pytest.mark.parametrize(
    ("version", "stage", "message"),
    [("x", "Production", "a whole number"), (9, "Staging", "no version 9"), (1, "Prod", "is none")],
)
def test_an_unknown_version_or_stage_is_refused(
    three: ModelRegistry, version: str | int, stage: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        three.promote_model(NAME, version, stage)


def test_the_error_of_an_empty_stage_lists_the_other_stages(three: ModelRegistry) -> None:
    three.promote_model(NAME, 2, "Staging")
    with pytest.raises(UsageError, match="no version is in Production; Staging has version 2"):
        three.load_model(NAME)


@pytest.mark.parametrize(
    "uri",
    ["models:/m-0123456789abcdef", "models:/personality_model/1", "s3://bucket/model", "mlflow-artifacts:/1/model"],
)
def test_an_address_that_is_no_run_is_refused_with_what_is_accepted(registry: ModelRegistry, uri: str) -> None:
    with pytest.raises(UsageError, match=r"expected runs:/RUN/model, or a package as train_and_track_model"):
        registry.register_model(uri, NAME)


def test_versions_are_compared_row_by_row(three: ModelRegistry) -> None:
    rows = three.compare(NAME)
    assert [(row["version"], row["semver"], row["model"]) for row in rows] == [
        (1, "1.0.0", "logistic_regression"),
        (2, "1.0.1", "logistic_regression"),
        (3, "1.1.0", "naive_bayes"),
    ]
    assert [row["log_loss"] for row in three.compare(NAME, [3, 1])] == [rows[2]["log_loss"], rows[0]["log_loss"]]


@contextmanager
def counted_connections() -> Iterator[list[object]]:
    """Yield a list that grows with each connection to any database."""
    connections: list[object] = []

    def count(connection: object) -> None:
        connections.append(connection)

    event.listen(Engine, "engine_connect", count)
    try:
        yield connections
    finally:
        event.remove(Engine, "engine_connect", count)


def test_a_diff_and_a_comparison_open_the_database_as_often_as_one_lookup(three: ModelRegistry) -> None:
    with counted_connections() as for_one:
        three.get_version(NAME, 1)
    with counted_connections() as for_diff:
        three.diff(NAME, 1, 3, config=settings("data=personality"))
    with counted_connections() as for_comparison:
        three.compare(NAME, [1, 2, 3])
    assert len(for_one) > 0
    assert (len(for_diff), len(for_comparison)) == (len(for_one), len(for_one))
