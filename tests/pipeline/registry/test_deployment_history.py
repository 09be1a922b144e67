"""Past deployments follow from the audit trail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.registry.deployment_history import deployments_after, production_changes
from pipeline.state import AuditEntry
from tests.pipeline.registry.test_model_registry import NAME

if TYPE_CHECKING:
    from pipeline.registry import ModelRegistry


def entry(
    seq: int, after: dict[str, Any], generation: int | None = None, model: str = NAME, before: Any = None
) -> AuditEntry:
    return AuditEntry(
        seq=seq,
        recorded_at=seq,
        actor="ada",
        action="promote",
        model=model,
        version=1,
        generation=generation,
        before=before or {},
        after=after,
        reason="",
        evidence={},
        hash="",
    )


def placed(version: int) -> dict[str, Any]:
    return {"version": version, "digest": str(version) * 64}


def test_a_past_deployment_has_the_decision_behind_it() -> None:
    history = [
        entry(1, {}),
        entry(2, {"Production": placed(1)}, 1),
        entry(3, {"Production": placed(1), "Staging": placed(2)}, 2),
        entry(4, {"Production": placed(7)}, 1, model="another"),
        entry(5, {"Production": placed(1)}, 3),
    ]
    deployments = [
        (deployment.model, deployment.stage, deployment.version, deployment.entry.seq)
        for deployment in deployments_after(history)
    ]
    assert deployments == [("another", "Production", 7, 4), (NAME, "Production", 1, 2)]
    assert [deployment.stage for deployment in deployments_after(history[:3])] == ["Production", "Staging"]
    assert deployments_after(history[:1]) == []


def test_past_deployments_are_read_by_time(three: ModelRegistry) -> None:
    first = three.promote_model(NAME, 1, "Production").audit_entry.recorded_at
    second = three.promote_model(NAME, 3, "Production", reason="better").audit_entry.recorded_at
    assert [deployment.version for deployment in three.deployments_at(second - 1)] == [1]
    assert [(deployment.version, deployment.entry.reason) for deployment in three.deployments_at(second)] == [
        (3, "better")
    ]
    assert three.deployments_at(first - 1) == []


def test_only_another_version_in_production_is_a_change() -> None:
    first, second = {"Production": placed(1)}, {"Production": placed(2)}
    history = [
        entry(5, {}, 4, before=second),
        entry(4, second, 3, before=first),
        entry(3, {**first, "Staging": placed(2)}, 2, before=first),
        entry(2, first, 1),
        entry(1, first),
    ]
    assert [(change.at, change.version) for change in production_changes(history)] == [(2, 1), (4, 2), (5, None)]
