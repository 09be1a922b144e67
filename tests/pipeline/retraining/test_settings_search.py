"""A retrain searches on its worktree; what the search wrote belongs to its branch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.config.groups.lifecycle_config import SelectConfig
from pipeline.errors import DependencyUnavailable
from pipeline.retraining.graph_run import GraphBudget
from pipeline.retraining.retrain_worktree import RetrainWorktree
from pipeline.retraining.settings_search import run_searched_graph, searched_files

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("starts_processes")

SELECT = SelectConfig(when="retrain", search="trees", rule="best", race=2.0, budget_s=60)
BUDGET = GraphBudget(60.0, should_stop=lambda: False)


@pytest.fixture
def worktree(tmp_path: Path) -> RetrainWorktree:
    """A folder without a graph: each `dvc repro` fails."""
    made = RetrainWorktree(tmp_path, 1)
    conf = made.checkout / "conf"
    (conf / "experiment").mkdir(parents=True)
    (conf / "config.yaml").write_text("defaults:\n  - optional experiment: null\n", encoding="utf-8")
    return made


def test_an_experiment_that_was_written_before_a_kill_is_used(worktree: RetrainWorktree) -> None:
    assert searched_files(worktree) == []
    (worktree.checkout / "conf/experiment/auto_retrain_1.yaml").write_text("seed: 1\n", encoding="utf-8")
    with pytest.raises(DependencyUnavailable, match=r"`dvc repro` failed"):
        run_searched_graph(worktree, BUDGET, SELECT)
    assert "experiment: auto_retrain_1" in (worktree.checkout / "conf/config.yaml").read_text(encoding="utf-8")
    assert searched_files(worktree) == ["conf/experiment/auto_retrain_1.yaml", "conf/config.yaml"]


@pytest.mark.parametrize(("when", "failing"), [("never", "dvc repro"), ("retrain", "dvc repro split")])
def test_a_search_begins_with_the_rows_of_the_split(worktree: RetrainWorktree, when: str, failing: str) -> None:
    with pytest.raises(DependencyUnavailable, match=f"`{failing}` failed in the worktree of retrain 1"):
        run_searched_graph(worktree, BUDGET, SELECT.model_copy(update={"when": when}))
    assert "experiment: null" in (worktree.checkout / "conf/config.yaml").read_text(encoding="utf-8")
