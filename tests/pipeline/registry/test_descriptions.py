"""What a version tells of itself: its card, its page in MLflow, how it differs, what served when."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.errors import UsageError
from pipeline.registry.deployment_history import deployments_after
from pipeline.registry.descriptions import mlflow_description
from pipeline.state import AuditEntry, ModelVersion
from pipeline.tracking.run_store import RunStore
from tests.pipeline.registry.test_model_registry import NAME, add, report

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.registry import ModelRegistry


@pytest.fixture
def three(registry: ModelRegistry, packages: dict[str, Path]) -> ModelRegistry:
    for folder in packages.values():
        add(registry, folder)
    return registry


def page(root: Path, number: str) -> Any:
    return RunStore(root).client().get_model_version(NAME, number)


def test_the_page_in_mlflow_tells_what_it_is_made_from_and_what_the_gates_said(
    registry: ModelRegistry, packages: dict[str, Path], tmp_path: Path
) -> None:
    tags = {"git.commit": "c0ffee", "git.dirty": "false"}
    made = registry.register_model(packages["first"], NAME, "A first try", tags=tags, gates=report())
    shown = page(tmp_path, "1")
    assert shown.tags["git.commit"] == "c0ffee"
    assert shown.tags["mlops.package"] == made.digest
    assert shown.tags["mlops.gates"] == "promote"
    assert shown.tags["mlops.params_sha256"] == "0" * 64
    assert float(shown.tags["mlops.metrics.log_loss"]) > 0
    for said in ("A first try", "`c0ffee`", made.digest[:12], "| log_loss |", "| limit ece | pass |", "reproduce"):
        assert said in shown.description


def test_the_page_in_mlflow_tells_who_deployed_it_when_and_why(three: ModelRegistry, tmp_path: Path) -> None:
    at = three.promote_model(NAME, 2, "Production", reason="the fair is tomorrow").audit_entry.recorded_at
    tags = page(tmp_path, "2").tags
    told = (tags["deployed.by"], tags["deployed.because"], tags["deployed.generation"])
    assert told == ("ada", "the fair is tomorrow", "1")
    assert datetime.fromisoformat(tags["deployed.at"]).timestamp() == at // 1_000_000


def test_a_long_story_is_cut_to_what_mlflow_keeps() -> None:
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


def test_the_card_ends_with_the_gates(three: ModelRegistry, packages: dict[str, Path]) -> None:
    told = three.model_card(NAME, 1)
    assert told.startswith((packages["first"] / "card.md").read_text(encoding="utf-8").rstrip())
    assert told.endswith("| limit ece | pass |  | 0.02 of at most 0.015 |\n")


def test_the_card_of_what_was_never_judged_says_so(registry: ModelRegistry, packages: dict[str, Path]) -> None:
    registry.register_model(packages["first"], NAME)
    assert registry.model_card(NAME, 1).endswith("The gates were never evaluated.\n")


def test_versions_lie_side_by_side(three: ModelRegistry) -> None:
    rows = three.compare(NAME)
    assert [(row["version"], row["semver"], row["model"]) for row in rows] == [
        (1, "1.0.0", "logistic_regression"),
        (2, "1.0.1", "logistic_regression"),
        (3, "1.1.0", "naive_bayes"),
    ]
    assert [row["log_loss"] for row in three.compare(NAME, [3, 1])] == [rows[2]["log_loss"], rows[0]["log_loss"]]


def test_a_diff_names_facts_and_figures_and_says_which_are_better(three: ModelRegistry) -> None:
    there, back = three.diff(NAME, 1, 3), three.diff(NAME, 3, 1)
    assert ("model", "logistic_regression", "naive_bayes") in [(one.name, one.old, one.new) for one in there.properties]
    (loss,) = [one for one in there.metrics if one.name == "log_loss"]
    (reverse,) = [one for one in back.metrics if one.name == "log_loss"]
    assert (loss.old, loss.new) == (reverse.new, reverse.old)
    better = "better" if loss.new < loss.old else "worse"
    assert f"{loss} ({better})" in there.as_text()
    assert three.diff(NAME, 1, 1).as_text() == "version 1 -> version 1\n  no differences"


def test_where_no_commit_names_a_package_lineage_says_so_and_nothing_is_made_again(three: ModelRegistry) -> None:
    found = three.lineage(NAME, 1)
    assert (found.commit, found.data_md5) == (None, {})
    assert "none; commit dvc.lock" in found.as_text()
    with pytest.raises(UsageError, match=r"no commit has a dvc\.lock that names its package"):
        three.reproduce(NAME, 1)


def entry(seq: int, after: dict[str, Any], generation: int | None = None, model: str = NAME) -> AuditEntry:
    return AuditEntry(
        seq=seq,
        recorded_at=seq,
        actor="ada",
        action="promote",
        model=model,
        version=1,
        generation=generation,
        before={},
        after=after,
        reason="",
        evidence={},
        hash="",
    )


def placed(version: int) -> dict[str, Any]:
    return {"version": version, "digest": str(version) * 64}


def test_what_served_is_told_with_the_decision_that_put_it_there() -> None:
    history = [
        entry(1, {}),
        entry(2, {"Production": placed(1)}, 1),
        entry(3, {"Production": placed(1), "Staging": placed(2)}, 2),
        entry(4, {"Production": placed(7)}, 1, model="another"),
        entry(5, {"Production": placed(1)}, 3),
    ]
    found = [(one.model, one.stage, one.version, one.entry.seq) for one in deployments_after(history)]
    assert found == [("another", "Production", 7, 4), (NAME, "Production", 1, 2)]
    assert [one.stage for one in deployments_after(history[:3])] == ["Production", "Staging"]
    assert deployments_after(history[:1]) == []


def test_the_past_is_asked_by_moment(three: ModelRegistry) -> None:
    first = three.promote_model(NAME, 1, "Production").audit_entry.recorded_at
    second = three.promote_model(NAME, 3, "Production", reason="better").audit_entry.recorded_at
    assert [one.version for one in three.deployments_at(second - 1)] == [1]
    assert [(one.version, one.entry.reason) for one in three.deployments_at(second)] == [(3, "better")]
    assert three.deployments_at(first - 1) == []


def test_aliases_that_were_moved_by_hand_are_named_and_nothing_is_written(three: ModelRegistry, tmp_path: Path) -> None:
    assert three.overridden_aliases() == ()
    three.promote_model(NAME, 1, "Production")
    client = RunStore(tmp_path).client()
    client.set_registered_model_alias(NAME, "production", "2")
    client.set_registered_model_alias(NAME, "staging", "3")
    for _ in range(2):
        assert three.overridden_aliases() == (f"{NAME}@staging", f"{NAME}@production")
