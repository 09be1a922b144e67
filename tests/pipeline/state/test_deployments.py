"""What serves is decided once: by a generation that only one caller can claim."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pipeline import state as store
from pipeline.errors import Conflict, UsageError
from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def register_versions(state: store.State, n: int = 1) -> list[store.ModelVersion]:
    with state.writing() as connection:
        return [
            store.add_version(
                connection, "m", f"{at:064}", at=state.clock(), semver=f"1.{at}.0", description="", tags={"n": at}
            )
            for at in range(n)
        ]


def set_stage(
    state: store.State, version: store.ModelVersion, stage: str, expected: int | None = None
) -> store.DeploymentChange:
    with state.writing() as connection:
        act = store.AuditEvent("ada", "promote", state.clock(), "because")
        return store.set_deployment(connection, version, stage, act, expected_generation=expected)


def read_stages(state: store.State) -> list[str]:
    with state.reading() as connection:
        return [one.stage for one in store.read_versions(connection, "m")]


def test_version_numbers_start_at_1_and_equal_content_is_the_same_version(state: store.State) -> None:
    first, second = register_versions(state, 2)
    assert (first.version, second.version) == (1, 2)
    with state.reading() as connection:
        assert store.version_by_digest(connection, "m", second.digest) == second
        assert store.version_by_digest(connection, "m", "f" * 64) is None
        assert store.find_version(connection, "m", 1) == first
        with pytest.raises(UsageError, match="m has no version 3; versions: 1, 2"):
            store.find_version(connection, "m", 3)


def test_a_new_production_version_archives_the_previous(state: store.State) -> None:
    first, second = register_versions(state, 2)
    set_stage(state, first, "Production")
    change = set_stage(state, second, "Production")
    assert read_stages(state) == ["Archived", "Production"]
    assert (change.before.version("Production"), change.after.version("Production")) == (1, 2)
    assert change.after.generation == change.audit_entry.generation == 2


def test_a_version_leaves_the_stage_that_it_was_in(state: store.State) -> None:
    (only,) = register_versions(state)
    set_stage(state, only, "Staging")
    change = set_stage(state, only, "Production")
    assert change.after.versions == {"Production": 1}
    assert set_stage(state, only, "Archived").after.versions == {}
    assert read_stages(state) == ["Archived"]


def test_staging_and_production_are_two_places(state: store.State) -> None:
    first, second = register_versions(state, 2)
    set_stage(state, first, "Production")
    assert set_stage(state, second, "Staging").after.versions == {"Production": 1, "Staging": 2}
    assert read_stages(state) == ["Production", "Staging"]


def test_a_stale_generation_is_a_conflict_and_changes_nothing(state: store.State) -> None:
    first, second = register_versions(state, 2)
    set_stage(state, first, "Production", expected=0)
    with pytest.raises(Conflict, match="m is at generation 1 and generation 0 was expected"):
        set_stage(state, second, "Production", expected=0)
    assert read_stages(state) == ["Production", "None"]
    with state.reading() as connection:
        assert len(store.read_audit_entries(connection)) == 1


PROMOTER_SCRIPT = """
import sys
from pathlib import Path
from pipeline import state as store
from pipeline.errors import Conflict
state = store.open_state(Path(sys.argv[1]))
wins = 0
for expected in range(int(sys.argv[3])):
    try:
        with state.writing() as connection:
            while store.current_deployment(connection, "m").generation < expected:
                raise AssertionError("rounds are entered in order")
            version = store.find_version(connection, "m", int(sys.argv[2]))
            event = store.AuditEvent(f"promoter {sys.argv[2]}", "promote", state.clock())
            store.set_deployment(connection, version, "Production", event, expected_generation=expected)
        wins += 1
    except Conflict:
        pass
print(wins)
"""


@pytest.mark.usefixtures("starts_processes")
def test_only_a_single_concurrent_promotion_succeeds(state: store.State, tmp_path: Path) -> None:
    n_rounds = 100
    register_versions(state, 4)
    started = [
        subprocess.Popen(
            [sys.executable, "-c", PROMOTER_SCRIPT, str(tmp_path), str(number), str(n_rounds)],
            cwd=ROOT,
            env={store.STATE_URL_ENV: os.environ[store.STATE_URL_ENV], "PATH": "/usr/bin:/bin"},
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in (1, 2, 3, 4)
    ]
    wins = [int(process.communicate(timeout=120)[0]) for process in started]
    assert sum(wins) == n_rounds
    with state.reading() as connection:
        assert [one.generation for one in store.read_audit_entries(connection)] == list(range(1, n_rounds + 1))
        assert store.verify_audit_chain(connection) == []
        assert store.current_deployment(connection, "m").generation == n_rounds


def test_outbox_tasks_are_pending_in_order_until_done(state: store.State) -> None:
    with state.writing() as connection:
        for number in (1, 2, 3):
            store.enqueue_task(connection, "alias", {"version": number}, at=state.clock())
    with state.writing() as connection:
        first, second, _ = store.read_pending_tasks(connection)
        store.mark_task_done(connection, first, at=state.clock())
        store.mark_task_failed(connection, second, "the server is away")
    with state.reading() as connection:
        left = store.read_pending_tasks(connection)
    assert [(one.payload["version"], one.attempts, one.error) for one in left] == [
        (2, 1, "the server is away"),
        (3, 0, None),
    ]
