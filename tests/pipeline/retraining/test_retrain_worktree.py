"""A retrain works beside the workspace: its branch, its files and the checked-out branch stay apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.errors import Conflict, DependencyUnavailable
from pipeline.files import exclusive_lock
from pipeline.retraining.retrain_worktree import (
    RetrainWorktree,
    delete_branch,
    require_clean_settings,
    require_disk_space,
)
from tests.pipeline.retraining.retrain_fixtures import git, make_repository

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def worktree(tmp_path: Path) -> RetrainWorktree:
    """The worktree of retrain 4 of a repository, checked out by git alone."""
    commit = make_repository(tmp_path)
    made = RetrainWorktree(tmp_path, 4)
    made.checkout.parent.mkdir(parents=True)
    git(tmp_path, "worktree", "add", "-q", "--detach", str(made.checkout), commit)
    return made


def test_a_commit_gets_its_branch_author_and_trailer_and_changes_nothing_else(worktree: RetrainWorktree) -> None:
    root, base = worktree.root, git(worktree.root, "rev-parse", "HEAD")
    (worktree.folder / "report.md").write_text("# Why\n", encoding="utf-8")
    sha = worktree.commit(["report.md"], "Retrain m\n\n# Why\n", author="ada", base=base)
    worktree.set_branch("retrain/m/4", sha)
    assert worktree.commit(["report.md"], "again", author="ada", base=base) == sha
    worktree.remove()
    assert git(root, "log", "-1", "--format=%an|%s|%(trailers)", "retrain/m/4") == "ada|Retrain m|Retrain: 4"
    assert (git(root, "rev-parse", "HEAD"), git(root, "status", "--porcelain")) == (base, "")
    assert not worktree.checkout.exists()
    assert delete_branch(root, "retrain/m/4", commit=sha)
    assert not delete_branch(root, "main", commit=base)
    assert git(root, "branch", "--format=%(refname:short)") == "main"


@pytest.mark.parametrize("taken", ["retrain/m/4", "retrain/m", "retrain"])
def test_a_branch_of_a_person_is_not_replaced(worktree: RetrainWorktree, taken: str) -> None:
    root, base = worktree.root, git(worktree.root, "rev-parse", "HEAD")
    git(root, "checkout", "-q", "-b", taken)
    (worktree.folder / "report.md").write_text("# Why\n", encoding="utf-8")
    sha = worktree.commit(["report.md"], "Retrain m", author="ada", base=base)
    with pytest.raises(Conflict, match=f"branch {taken} exists, and the retrain needs retrain/m/4"):
        worktree.set_branch("retrain/m/4", sha)
    assert git(root, "rev-parse", "HEAD") == base


def test_a_branch_with_commits_of_a_person_is_not_deleted(worktree: RetrainWorktree) -> None:
    root, base = worktree.root, git(worktree.root, "rev-parse", "HEAD")
    worktree.set_branch("retrain/m/4", base)
    git(root, "checkout", "-q", "retrain/m/4")
    git(root, "commit", "-q", "--allow-empty", "-m", "Review")
    git(root, "checkout", "-q", "main")
    assert not delete_branch(root, "retrain/m/4", commit=base)
    assert git(root, "log", "-1", "--format=%s", "retrain/m/4") == "Review"


def test_a_retrain_that_a_git_hook_starts_leaves_its_branch_alone(
    worktree: RetrainWorktree, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, base = worktree.root, git(worktree.root, "rev-parse", "HEAD")
    (worktree.folder / "report.md").write_text("# Why\n", encoding="utf-8")
    with monkeypatch.context() as hook:
        hook.setenv("GIT_DIR", str(root / ".git"))
        hook.setenv("GIT_INDEX_FILE", str(root / ".git/index"))
        worktree.commit(["report.md"], "Retrain m", author="ada", base=base)
    assert (git(root, "rev-parse", "main"), git(root, "status", "--porcelain")) == (base, "")


def test_a_missing_worktree_of_a_person_stays_known(worktree: RetrainWorktree) -> None:
    other = worktree.root / "other"
    git(worktree.root, "worktree", "add", "-q", "-b", "feature", str(other))
    other.rename(worktree.root / "moved")
    worktree.remove()
    assert str(other) in git(worktree.root, "worktree", "list", "--porcelain")


def test_a_patch_holds_the_changed_files(worktree: RetrainWorktree) -> None:
    (worktree.folder / "report.md").write_text("# Why\n", encoding="utf-8")
    worktree.write_patch(["report.md"])
    worktree.remove()
    git(worktree.root, "apply", str(worktree.patch))
    assert (worktree.root / "report.md").read_text(encoding="utf-8") == "# Why\n"


def test_half_made_remains_are_removed(worktree: RetrainWorktree) -> None:
    (worktree.checkout / ".git").unlink()
    worktree.remove()
    assert not worktree.checkout.exists()
    assert git(worktree.root, "worktree", "list", "--porcelain").count("worktree ") == 1


def test_a_worktree_in_which_another_process_trains_stays(worktree: RetrainWorktree) -> None:
    with (
        exclusive_lock(worktree.lock, operation="training"),
        pytest.raises(Conflict, match="retrain 4: training: another process is doing this now"),
    ):
        worktree.remove()
    assert worktree.checkout.exists()


def test_uncommitted_settings_are_named(tmp_path: Path) -> None:
    make_repository(tmp_path)
    require_clean_settings(tmp_path)
    (tmp_path / "conf/config.yaml").write_text("defaults: []\n", encoding="utf-8")
    with pytest.raises(Conflict, match=r"conf/ has uncommitted changes \(conf/config.yaml\); commit or stash"):
        require_clean_settings(tmp_path)


def test_a_full_disk_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    require_disk_space(tmp_path, 1)
    with pytest.raises(DependencyUnavailable, match="twice the size of the snapshot"):
        require_disk_space(tmp_path, 10**18)
