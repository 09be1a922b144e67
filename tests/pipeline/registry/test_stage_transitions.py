"""Registering, promoting and rolling back are one transaction each: tables, audit trail and outbox agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline import state as store
from pipeline.errors import Conflict, GateRefused, UsageError
from pipeline.gates import Gate, GateReport
from pipeline.package import load_package
from pipeline.registry import stage_transitions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.package import Package
    from pipeline.package.package_store import PackageStore
    from pipeline.registry import ModelRegistry
    from pipeline.state import AuditEntry, ModelVersion, State

NAME = "personality_model"
PASSED = GateReport("0" * 64, None, (Gate("limit ece", "pass", "0.01"),)).as_dict()
REJECTED = GateReport("0" * 64, None, (Gate("limit ece", "fail", "0.09"),)).as_dict()


@pytest.fixture
def state(registry: ModelRegistry) -> Iterator[State]:
    assert registry.root is not None
    opened = store.open_state(registry.root)
    yield opened
    opened.close()


@pytest.fixture
def packages_store(registry: ModelRegistry) -> PackageStore:
    return registry.packages


def register(
    state: State, packages: PackageStore, folder: Path, gates: dict[str, object] | None = PASSED
) -> ModelVersion:
    candidate: Package = packages.add(folder)
    registration = stage_transitions.register_package(state, packages, NAME, candidate=candidate, gates=gates)
    return registration.version


def audit_trail(state: State) -> list[AuditEntry]:
    with state.reading() as connection:
        return store.read_audit_entries(connection)


def n_pending(state: State) -> int:
    with state.reading() as connection:
        return len(store.read_pending_tasks(connection))


def test_a_package_is_registered_once(state: State, packages_store: PackageStore, candidates: dict[str, Path]) -> None:
    candidate = packages_store.add(candidates["first"])
    first = stage_transitions.register_package(state, packages_store, NAME, candidate=candidate, gates=PASSED)
    again = stage_transitions.register_package(state, packages_store, NAME, candidate=candidate, gates=PASSED)
    assert (first.is_new, again.is_new) == (True, False)
    assert again.version == first.version
    assert [entry.action for entry in audit_trail(state)] == ["register"]


def test_a_version_carries_the_lineage_of_its_package(
    state: State, packages_store: PackageStore, candidates: dict[str, Path]
) -> None:
    version = register(state, packages_store, candidates["first"])
    lineage = load_package(candidates["first"]).lineage
    assert version.tags["params_sha256"] == lineage["params_sha256"]
    assert version.tags["model"] == "logistic_regression"


@pytest.mark.parametrize("gates", [None, REJECTED], ids=["not evaluated", "rejected"])
@pytest.mark.parametrize("stage", ["Staging", "Production"])
def test_a_refused_promotion_leaves_no_trace(
    state: State, packages_store: PackageStore, candidates: dict[str, Path], gates: dict[str, object] | None, stage: str
) -> None:
    version = register(state, packages_store, candidates["first"], gates)
    entries, pending = audit_trail(state), n_pending(state)
    with pytest.raises(GateRefused, match=f"{NAME} version 1"):
        stage_transitions.promote_version(state, NAME, version.version, stage=stage)
    assert (audit_trail(state), n_pending(state)) == (entries, pending)


def test_archiving_needs_no_gates(state: State, packages_store: PackageStore, candidates: dict[str, Path]) -> None:
    version = register(state, packages_store, candidates["first"], None)
    change = stage_transitions.promote_version(state, NAME, version.version, stage="Archived")
    assert change.after.versions == {}


def test_a_forced_promotion_is_recorded_as_forced(
    state: State, packages_store: PackageStore, candidates: dict[str, Path]
) -> None:
    version = register(state, packages_store, candidates["first"], REJECTED)
    with pytest.raises(UsageError, match="force needs a reason"):
        stage_transitions.promote_version(state, NAME, version.version, stage="Production", force=True, reason="  ")
    stage_transitions.promote_version(
        state, NAME, version.version, stage="Production", force=True, reason="a demonstration"
    )
    last = audit_trail(state)[-1]
    assert (last.action, last.reason, last.actor) == ("force", "a demonstration", "ada")


def test_the_actor_may_be_named(state: State, packages_store: PackageStore, candidates: dict[str, Path]) -> None:
    version = register(state, packages_store, candidates["first"])
    stage_transitions.promote_version(state, NAME, version.version, stage="Production", decided_by="grace")
    assert audit_trail(state)[-1].actor == "grace"


def test_a_stale_generation_is_a_conflict(
    state: State, packages_store: PackageStore, candidates: dict[str, Path]
) -> None:
    version = register(state, packages_store, candidates["first"])
    stage_transitions.promote_version(state, NAME, version.version, stage="Staging", expected_generation=0)
    with pytest.raises(Conflict, match="generation"):
        stage_transitions.promote_version(state, NAME, version.version, stage="Production", expected_generation=0)


def test_repeated_rollbacks_walk_back_one_promotion_each(
    state: State, packages_store: PackageStore, candidates: dict[str, Path]
) -> None:
    for folder in candidates.values():
        version = register(state, packages_store, folder)
        stage_transitions.promote_version(state, NAME, version.version, stage="Production")
    first = stage_transitions.roll_back_version(state, NAME)
    second = stage_transitions.roll_back_version(state, NAME)
    assert [change.after.version("Production") for change in (first, second)] == [2, 1]
    with pytest.raises(UsageError, match="no version was in Production before version 1"):
        stage_transitions.roll_back_version(state, NAME)


def test_a_rollback_goes_only_to_earlier_production_versions(
    state: State, packages_store: PackageStore, candidates: dict[str, Path]
) -> None:
    versions = [register(state, packages_store, folder).version for folder in candidates.values()]
    stage_transitions.promote_version(state, NAME, versions[0], stage="Production")
    stage_transitions.promote_version(state, NAME, versions[2], stage="Production")
    with pytest.raises(UsageError, match="version 2 was never in Production"):
        stage_transitions.roll_back_version(state, NAME, to=versions[1])
    assert stage_transitions.roll_back_version(state, NAME, to=versions[0]).after.version("Production") == 1
