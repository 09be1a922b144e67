"""The model card, and the page of a version in MLflow."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from pipeline.registry.descriptions import mlflow_description
from pipeline.state import ModelVersion
from pipeline.tracking.run_store import RunStore
from tests.pipeline.registry.test_model_registry import NAME, report

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.registry import ModelRegistry


def page(root: Path, number: str) -> Any:
    return RunStore(root).client().get_model_version(NAME, number)


def test_the_mlflow_page_shows_lineage_and_gates(
    registry: ModelRegistry, candidates: dict[str, Path], tmp_path: Path
) -> None:
    tags = {"git.commit": "c0ffee", "git.dirty": "false"}
    version = registry.register_model(candidates["first"], NAME, "A first try", tags=tags, gates=report())
    mlflow_version = page(tmp_path, "1")
    assert mlflow_version.tags["git.commit"] == "c0ffee"
    assert mlflow_version.tags["mlops.package"] == version.digest
    assert mlflow_version.tags["mlops.gates"] == "promote"
    assert mlflow_version.tags["mlops.params_sha256"] == "0" * 64
    assert float(mlflow_version.tags["mlops.metrics.log_loss"]) > 0
    for text in ("A first try", "`c0ffee`", version.digest[:12], "| log_loss |", "| limit ece | pass |", "reproduce"):
        assert text in mlflow_version.description


def test_the_mlflow_page_shows_who_deployed_when_and_why(three: ModelRegistry, tmp_path: Path) -> None:
    at = three.promote_model(NAME, 2, "Production", reason="the fair is tomorrow").audit_entry.recorded_at
    tags = page(tmp_path, "2").tags
    values = (tags["deployed.by"], tags["deployed.because"], tags["deployed.generation"])
    assert values == ("ada", "the fair is tomorrow", "1")
    assert datetime.fromisoformat(tags["deployed.at"]).timestamp() == at // 1_000_000


def test_a_long_description_is_cut_to_the_limit_of_mlflow() -> None:
    version = ModelVersion(
        model="m",
        version=1,
        digest="0" * 64,
        semver="1.0.0",
        stage="None",
        description="x" * 9000,
        tags={},
        registered_at=1,
    )
    assert len(mlflow_description(version)) == 5000


def test_the_card_ends_with_the_gates(three: ModelRegistry, candidates: dict[str, Path]) -> None:
    values = three.model_card(NAME, 1)
    assert values.startswith((candidates["first"] / "card.md").read_text(encoding="utf-8").rstrip())
    assert values.endswith("| limit ece | pass |  | 0.02 of at most 0.015 |\n")


def test_the_card_of_a_version_without_gates_has_a_note(registry: ModelRegistry, candidates: dict[str, Path]) -> None:
    registry.register_model(candidates["first"], NAME)
    assert registry.model_card(NAME, 1).endswith("The gates were never evaluated.\n")


def test_changed_aliases_are_listed_and_nothing_is_written(three: ModelRegistry, tmp_path: Path) -> None:
    assert three.overridden_aliases() == ()
    three.promote_model(NAME, 1, "Production")
    client = RunStore(tmp_path).client()
    client.set_registered_model_alias(NAME, "production", "2")
    client.set_registered_model_alias(NAME, "staging", "3")
    for _ in range(2):
        assert three.overridden_aliases() == (f"{NAME}@staging", f"{NAME}@production")
