"""Any sequence of registrations, promotions and rollbacks agrees with a small model."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from pipeline.errors import Conflict, GateRefused, UsageError
from pipeline.package.package_store import PackageStore
from pipeline.registry import stage_transitions
from pipeline.state import current_deployment, open_state, read_audit_entries, read_versions, verify_audit_chain
from pipeline.state import read_pending_tasks as waiting_tasks
from tests.fixtures.proof import proof_rounds
from tests.pipeline.registry.test_model_registry import report

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.package import Package

pytestmark = pytest.mark.usefixtures("heavy_computation")

STEPS = proof_rounds(150, long=5000)
STEPS_PER_EXAMPLE = 50
NAME = "m"


class _Killed(Exception):
    """Raised in place of a process that ends in the middle of a transaction."""


class RegistryStateMachine(RuleBasedStateMachine):
    """Register, promote, roll back, crash, reopen and reconcile, beside lists and dictionaries that do the same."""

    sources: dict[str, tuple[Path, Package]]
    empty: Path

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="mlops-machine-"))
        shutil.copytree(self.empty / "state", self.root / "state")
        self.state = open_state(self.root)
        self.packages = PackageStore(self.root / "state/packages")
        self.registered: list[str] = []
        self.verdicts: list[str] = []
        self.stages: list[str] = []
        self.served: dict[str, int] = {}
        self.served_once: list[tuple[int | None, int, bool]] = []
        self.generation = self.n_entries = self.n_waiting = 0

    def teardown(self) -> None:
        self.state.close()
        shutil.rmtree(self.root, ignore_errors=True)

    @rule(name=st.sampled_from(["first", "second", "third"]), result=st.sampled_from(["pass", "hold", "fail"]))
    def register(self, name: str, result: str) -> None:
        folder, package = self.sources[name]
        self.packages.add(folder)
        registration = stage_transitions.register_package(
            self.state, self.packages, NAME, candidate=package, gates=report(result).as_dict()
        )
        assert registration.is_new is (name not in self.registered)
        if registration.is_new:
            self.registered.append(name)
            self.verdicts.append(result)
            self.stages.append("None")
            self.n_entries += 1
            self.n_waiting += 1
        assert registration.version.version == self.registered.index(name) + 1

    @precondition(lambda self: self.registered)
    @rule(
        data=st.data(),
        stage=st.sampled_from(["None", "Staging", "Production", "Archived"]),
        force=st.booleans(),
        behind=st.sampled_from([None, 0, 1]),
    )
    def promote(self, data: st.DataObject, stage: str, force: bool, behind: int | None) -> None:
        number = data.draw(st.integers(1, len(self.registered)))
        expected = None if behind is None else self.generation - behind
        options: dict[str, Any] = {"reason": "r", "expected_generation": expected, "force": force}
        if stage in ("Staging", "Production") and not force and self.verdicts[number - 1] != "pass":
            with pytest.raises(GateRefused):
                stage_transitions.promote_version(self.state, NAME, number, stage=stage, **options)
        elif behind == 1:
            with pytest.raises(Conflict):
                stage_transitions.promote_version(self.state, NAME, number, stage=stage, **options)
        else:
            stage_transitions.promote_version(self.state, NAME, number, stage=stage, **options)
            self._move_in_model(number, stage, is_rollback=False)

    def _move_in_model(self, number: int, stage: str, *, is_rollback: bool) -> None:
        left = self.served.get("Production")
        replaced = self.served.get(stage)
        if stage in ("Staging", "Production") and replaced is not None and replaced != number:
            self.stages[replaced - 1] = "Archived"
        self.served = {name: held for name, held in self.served.items() if held != number and name != stage}
        if stage in ("Staging", "Production"):
            self.served[stage] = number
        self.stages[number - 1] = stage
        self.generation += 1
        self.n_entries += 1
        self.n_waiting += 1
        self.served_once.append((left, self.served.get("Production", 0), is_rollback))

    @precondition(lambda self: self.registered)
    @rule(data=st.data())
    def roll_back_to(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(1, len(self.registered)))
        if any(arrived == number for _, arrived, _ in self.served_once):
            stage_transitions.roll_back_version(self.state, NAME, to=number)
            self._move_in_model(number, "Production", is_rollback=True)
        else:
            with pytest.raises(UsageError, match="was never in Production"):
                stage_transitions.roll_back_version(self.state, NAME, to=number)

    @precondition(lambda self: self.registered)
    @rule()
    def roll_back(self) -> None:
        now = self.served.get("Production", 0)
        before = [
            left
            for left, arrived, is_rollback in self.served_once
            if not is_rollback and arrived == now and left is not None and left != now
        ]
        if before:
            stage_transitions.roll_back_version(self.state, NAME)
            self._move_in_model(before[-1], "Production", is_rollback=True)
        else:
            with pytest.raises(UsageError, match="no version was in Production before"):
                stage_transitions.roll_back_version(self.state, NAME)

    @precondition(lambda self: self.registered)
    @rule(data=st.data())
    def crash_before_the_commit(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(1, len(self.registered)))
        with pytest.raises(_Killed), _ending_at_the_commit(self):
            stage_transitions.promote_version(self.state, NAME, number, stage="Production", reason="r", force=True)

    @rule()
    def reopen(self) -> None:
        self.state.close()
        self.state = open_state(self.root)

    @invariant()
    def versions_match_the_model(self) -> None:
        with self.state.reading() as connection:
            deployment = current_deployment(connection, NAME)
            history = read_audit_entries(connection)
            assert (deployment.generation, deployment.versions) == (self.generation, self.served)
            assert len(history) == self.n_entries
            assert [entry.generation for entry in history if entry.generation] == list(range(1, self.generation + 1))
            assert verify_audit_chain(connection) == []
            assert len(waiting_tasks(connection)) == self.n_waiting

    @invariant()
    def stages_match_the_model(self) -> None:
        with self.state.reading() as connection:
            assert [version.stage for version in read_versions(connection, NAME)] == self.stages


@contextmanager
def _ending_at_the_commit(machine: RegistryStateMachine) -> Iterator[None]:
    """Let the next commit fail, as if the process had ended just before it."""
    from sqlalchemy import event

    def end(_connection: object) -> None:
        raise _Killed

    event.listen(machine.state.engine, "commit", end)
    try:
        yield
    finally:
        event.remove(machine.state.engine, "commit", end)


def test_any_sequence_of_decisions_agrees_with_a_small_model(
    candidates: dict[str, Path], empty_stores: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline import package

    monkeypatch.delenv("MLOPS_STATE_URL", raising=False)
    RegistryStateMachine.sources = {name: (folder, package.load_package(folder)) for name, folder in candidates.items()}
    RegistryStateMachine.empty = empty_stores
    checks = settings(
        max_examples=max(1, STEPS // STEPS_PER_EXAMPLE),
        stateful_step_count=STEPS_PER_EXAMPLE,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(RegistryStateMachine, settings=checks)
