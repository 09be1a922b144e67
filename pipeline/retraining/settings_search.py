"""Search the settings of the model in the worktree of a retrain, where `lifecycle.select.when` asks for it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.project import paths
from pipeline.retraining.graph_run import REPRO, run_graph
from pipeline.selection import use_experiment

if TYPE_CHECKING:
    from pipeline.config.groups.lifecycle_config import SelectConfig
    from pipeline.retraining.graph_run import GraphBudget
    from pipeline.retraining.retrain_worktree import RetrainWorktree

__all__ = ["run_searched_graph", "searched_files"]

_MLOPS = ("-c", "from pipeline.cli import main; main()")


def run_searched_graph(worktree: RetrainWorktree, budget: GraphBudget, select: SelectConfig) -> float:
    """Run the graph in a worktree, after a search on its train rows where it is wanted; return the processor time.

    The chosen settings are an experiment of the worktree, which its conf/config.yaml names. A search that a kill
    stopped continues. Errors are those of `run_graph`.
    """
    if select.when == "never":
        return run_graph(worktree, budget)
    cpu_s = 0.0
    name = _experiment_name(worktree)
    if worktree.has_file(_experiment_file(worktree)):
        use_experiment(name, conf=worktree.folder / paths.CONF)
    else:
        search = (*_MLOPS, "select", "--search", select.search, "--as", name, "--apply")
        for command in ((*REPRO, "split"), search):
            cpu_s += run_graph(worktree, replace(budget, max_cpu_s=budget.max_cpu_s - cpu_s), command=command)
    return cpu_s + run_graph(worktree, replace(budget, max_cpu_s=budget.max_cpu_s - cpu_s))


def searched_files(worktree: RetrainWorktree) -> list[str]:
    """Return the files that a search has changed; none without a search, or where the present settings were chosen."""
    experiment = _experiment_file(worktree)
    return [experiment, str(paths.CONF / "config.yaml")] if worktree.has_file(experiment) else []


def _experiment_name(worktree: RetrainWorktree) -> str:
    return f"auto_retrain_{worktree.seq}"


def _experiment_file(worktree: RetrainWorktree) -> str:
    return str(paths.CONF / "experiment" / f"{_experiment_name(worktree)}.yaml")
