"""Git runs in the folder that it is given, whatever repository a hook names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.project.git_command import git_environment, run_git

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_repository_that_a_hook_names_is_ignored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other"))
    monkeypatch.setenv("GIT_AUTHOR_NAME", "somebody")
    assert "GIT_DIR" not in git_environment()
    assert git_environment()["GIT_AUTHOR_NAME"] == "somebody"
    run_git(tmp_path, "init", "-q")
    assert run_git(tmp_path, "rev-parse", "--git-dir") == ".git"


def test_a_command_that_fails_has_no_output(tmp_path: Path) -> None:
    assert run_git(tmp_path, "rev-parse", "--verify", "--quiet", "nothing^{commit}") is None
