"""The actor comes from the environment or from the operating system."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.project.actor import current_actor

if TYPE_CHECKING:
    import pytest


def test_the_actor_is_the_user_unless_the_environment_names_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_ACTOR", "deploy-bot")
    assert current_actor() == "deploy-bot"
    monkeypatch.delenv("MLOPS_ACTOR")
    assert current_actor()


def test_a_person_is_never_taken_for_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_ACTOR", "loop")
    assert current_actor() == "user loop"
