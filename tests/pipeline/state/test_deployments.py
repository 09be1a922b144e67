"""What serves is decided once: by a generation that only one caller can claim."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pipeline import state as store
from pipeline.errors import Conflict, UsageError
from tests.pipeline.problems import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def register(state: store.State, n: int = 1) -> list[store.Version]:
    with state.writing() as connection:
        return [
            store.add_version(
                connection, "m", f"{at:064}", at=state.clock(), semver=f"1.{at}.0", description="", tags={"n": at}
            )
            for at in range(n)
        ]


def move(state: store.State, version: store.Version, stage: str, expected: int | None = None) -> store.Change:
    with state.writing() as connection:
        act = store.Act("ada", "promote", state.clock(), "because")
        return store.decide(connection, version, stage, act, expected=expected)


def stages(state: store.State) -> list[str]:
    with state.reading() as connection:
        return [one.stage for one in store.all_versions(connection, "m")]


def test_versions_count_from_one_and_are_found_by_content(state: store.State) -> None:
    first, second = register(state, 2)
    assert (first.version, second.version) == (1, 2)
    with state.reading() as connection:
        assert store.version_by_digest(connection, "m", second.digest) == second
        assert store.version_by_digest(connection, "m", "f" * 64) is None
        assert store.find_version(connection, "m", 1) == first
        with pytest.raises(UsageError, match="m has no version 3; versions: 1, 2"):
            store.find_version(connection, "m", 3)


def test_a_new_version_in_production_archives_the_old_one(state: store.State) -> None:
    first, second = register(state, 2)
    move(state, first, "Production")
    change = move(state, second, "Production")
    assert stages(state) == ["Archived", "Production"]
    assert (change.before.version("Production"), change.after.version("Production")) == (1, 2)
    assert change.after.generation == change.entry.generation == 2


def test_a_version_leaves_the_stage_that_it_was_in(state: store.State) -> None:
    (only,) = register(state)
    move(state, only, "Staging")
    change = move(state, only, "Production")
    assert change.after.versions == {"Production": 1}
    assert move(state, only, "Archived").after.versions == {}
    assert stages(state) == ["Archived"]


def test_staging_and_production_are_two_places(state: store.State) -> None:
    first, second = register(state, 2)
    move(state, first, "Production")
    assert move(state, second, "Staging").after.versions == {"Production": 1, "Staging": 2}
    assert stages(state) == ["Production", "Staging"]


def test_a_decision_on_an_older_generation_is_a_conflict_and_changes_nothing(state: store.State) -> None:
    first, second = register(state, 2)
    move(state, first, "Production", expected=0)
    with pytest.raises(Conflict, match="m is at generation 1 and generation 0 was expected"):
        move(state, second, "Production", expected=0)
    assert stages(state) == ["Production", "None"]
    with state.reading() as connection:
        assert len(store.entries(connection)) == 1


PROMOTER = """
import sys
from pathlib import Path
from pipeline import state as store
from pipeline.errors import Conflict
state = store.open_state(Path(sys.argv[1]))
wins = 0
for expected in range(int(sys.argv[3])):
    try:
        with state.writing() as connection:
            while store.served(connection, "m").generation < expected:
                raise AssertionError("rounds are entered in order")
            version = store.find_version(connection, "m", int(sys.argv[2]))
            act = store.Act(f"promoter {sys.argv[2]}", "promote", state.clock())
            store.decide(connection, version, "Production", act, expected=expected)
        wins += 1
    except Conflict:
        pass
print(wins)
"""


def test_of_four_promoters_at_once_one_wins_each_round(state: store.State, tmp_path: Path) -> None:
    n_rounds = 100
    register(state, 4)
    started = [
        subprocess.Popen(
            [sys.executable, "-c", PROMOTER, str(tmp_path), str(number), str(n_rounds)],
            cwd=ROOT,
            env={store.URL_ENV: os.environ[store.URL_ENV], "PATH": "/usr/bin:/bin"},
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in (1, 2, 3, 4)
    ]
    wins = [int(process.communicate(timeout=120)[0]) for process in started]
    assert sum(wins) == n_rounds
    with state.reading() as connection:
        assert [one.generation for one in store.entries(connection)] == list(range(1, n_rounds + 1))
        assert store.verify(connection) == []
        assert store.served(connection, "m").generation == n_rounds


def test_tasks_wait_in_order_until_they_are_done(state: store.State) -> None:
    with state.writing() as connection:
        for number in (1, 2, 3):
            store.enqueue(connection, "alias", {"version": number}, at=state.clock())
    with state.writing() as connection:
        first, second, _ = store.waiting(connection)
        store.done(connection, first, at=state.clock())
        store.failed(connection, second, "the server is away")
    with state.reading() as connection:
        left = store.waiting(connection)
    assert [(one.payload["version"], one.attempts, one.error) for one in left] == [
        (2, 1, "the server is away"),
        (3, 0, None),
    ]
