"""`mlops change-report` compares a branch with its base from git and DVC's cache."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from pipeline.change_report import ChangeReport, build_change_report, change_report_html
from pipeline.change_report.snapshots import snapshots_before_and_after
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from tests.fixtures.workspace import Workspace

# One worker makes the branch that these tests share.
pytestmark = [pytest.mark.xdist_group("change_report")]


@dataclass(frozen=True)
class Branch:
    """A branch that changes a model and a drift limit: as reported before it ran, and after."""

    project: Workspace
    unrun: ChangeReport
    run: ChangeReport


@pytest.fixture(scope="module")
def branch(finished_small: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Branch:
    project = finished_small.copy(tmp_path_factory.mktemp("branch") / "project")
    project.run("git", "checkout", "-q", "-b", "change")
    project.edit("conf/model/hist_gradient_boosting.yaml", "max_iter: 100", "max_iter: 14")
    project.edit("conf/drift/default.yaml", "wasserstein: 0.1 ", "wasserstein: 0.15 ")
    unrun = build_change_report(project.root, "main")
    project.repro()
    project.commit("Fewer trees")
    return Branch(project, unrun, build_change_report(project.root, "main"))


def test_settings_are_listed_with_both_values_and_their_stages(branch: Branch) -> None:
    assert {(str(setting), setting.stages) for setting in branch.unrun.settings} == {
        ("model.estimator.max_iter 100 -> 14", ("train",)),
        ("drift.numeric.wasserstein (reference standard deviations) 0.1 -> 0.15", ()),
    }


def test_an_unrun_branch_lists_the_pending_stages_and_old_metrics(branch: Branch) -> None:
    assert {change.stage: change.reason for change in branch.unrun.pending_stages} == {
        "compose": "conf",
        "train": "setting model.estimator.max_iter",
        "evaluate": "follows train",
        "register": "follows evaluate, follows train",
    }
    assert any("run `dvc repro` to update them" in note for note in branch.unrun.notes)


def test_metrics_of_a_run_branch_are_compared_on_the_same_rows(branch: Branch) -> None:
    assert (branch.run.pending_stages, branch.run.notes, branch.run.is_same_model) == ((), (), False)
    loss = next(metric for metric in branch.run.metrics if metric.name == "log_loss")
    assert loss.before
    assert loss.after
    assert loss.difference
    expected = json.loads(branch.project.read("metrics/test.json"))["log_loss"]
    assert loss.after.value == pytest.approx(expected, rel=1e-9)
    assert loss.difference.value == pytest.approx((loss.after.value or 0) - (loss.before.value or 0), rel=1e-6)
    assert loss.verdict == "worse"
    assert [change.stage for change in branch.run.executed_stages] == ["compose", "train", "evaluate", "register"]


def test_slices_gates_and_size_are_compared(branch: Branch) -> None:
    worst = branch.run.slices[0]
    evaluated = json.loads(branch.project.read("reports/evaluation.json"))["slices"]
    (after,) = [part for part in evaluated if (part["column"], part["part"]) == (worst.column, worst.value)]
    assert (worst.after, worst.n_rows) == (pytest.approx(after["value"]), after["rows"])
    assert worst.difference.value == pytest.approx(worst.after - worst.before)
    assert {gate.name for gate in branch.run.gates} >= {"validation", "size", "better than majority"}
    before, after = branch.run.size_mb
    assert before is not None
    assert after is not None
    assert after < before


def test_the_page_has_inline_charts_and_equal_bytes_each_time(branch: Branch) -> None:
    written = change_report_html(build_change_report(branch.project.root, "main"))
    assert not re.search(r"(src|href)=|url\(|@import", written)
    assert written.count("<svg") >= 10
    assert written == change_report_html(branch.run)


def test_a_base_without_results_names_the_command(branch: Branch) -> None:
    project = branch.project.copy(branch.project.root.parent / "bare")
    lock = project.run("git", "show", "main:dvc.lock").stdout
    md5 = re.search(r"path: reports/evaluation.json\n\s+hash: md5\n\s+md5: (\w+)", lock.partition("evaluate:")[2])
    assert md5 is not None
    (project.root / ".dvc/cache/files/md5" / md5[1][:2] / md5[1][2:]).unlink()
    with snapshots_before_and_after(project.root, "main") as (before, after):
        assert "cache lacks reports/evaluation.json; run `dvc fetch --all-commits`" in (before.missing_reason or "")
        assert (before.load_package() is None, after.missing_reason) == (False, None)
    project.run("git", "rm", "-q", "--cached", "dvc.lock")
    project.run("git", "commit", "-q", "-m", "Without a lock")
    with snapshots_before_and_after(project.root, "HEAD") as (before, _):
        assert "has no dvc.lock" in (before.missing_reason or "")
    with (
        pytest.raises(UsageError, match="git has no such commit; fetch it first"),
        snapshots_before_and_after(project.root, "x"),
    ):
        pass
