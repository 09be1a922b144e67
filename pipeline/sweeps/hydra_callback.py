"""Hydra callback of sweeps: plan a sweep, print its result table, and end its run."""

from __future__ import annotations

import atexit
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pipeline.config.hydra_job import plan_sweep
from pipeline.errors import DependencyUnavailable
from pipeline.metrics import METRICS
from pipeline.sweeps import sweep_results
from pipeline.tracking import ExperimentTracker, end_abandoned_runs, make_tracker

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.config.hydra_job import SweepPlan

__all__ = ["SweepCallback", "sweep_summary"]


class SweepCallback:
    """Callback that Hydra calls before and after a sweep; conf/hydra/default.yaml names it.

    Hydra calls no callback for an interrupted sweep, so the sweep also ends at process exit.
    """

    def __init__(self) -> None:
        self._open_sweep: dict[str, Any] = {}

    def on_multirun_start(self, config: Any, **_: Any) -> None:
        """Write the plan of the sweep, and end the runs of earlier sweeps whose process is gone."""
        plan = plan_sweep(config)
        error = _direction_error(plan)
        if error is not None:
            # Hydra turns an exception of a callback into a warning; SystemExit ends the process.
            sys.stderr.write(f"{error}\n")
            raise SystemExit(3)
        plan.folder.mkdir(parents=True, exist_ok=True)
        sweep_results.write_plan(plan)
        with suppress(DependencyUnavailable):
            end_abandoned_runs(make_tracker(config.tracking))
        self._open_sweep = {"folder": plan.folder, "tracking": config.tracking}
        atexit.register(self._finish)

    def on_multirun_end(self, config: Any, **_: Any) -> None:  # noqa: ARG002 - Hydra calls it so
        """Print the result table and end the run of the sweep."""
        self._finish()

    def _finish(self) -> None:
        if not self._open_sweep:
            return
        folder, tracking = self._open_sweep["folder"], self._open_sweep["tracking"]
        self._open_sweep = {}
        if not sweep_results.read_trials(folder) and not sweep_results.read_failures(folder):
            return
        sys.stdout.write(sweep_summary(folder))
        sys.stdout.flush()
        parent = sweep_results.read_parent(folder)
        if parent is not None:
            _finish_sweep_run(make_tracker(tracking), parent, folder)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the open sweep out of the copy in a worker process, so that a worker never ends it."""
        return {"_open_sweep": {}}

    def on_run_start(self, config: Any, **_: Any) -> None:
        """Do nothing: a single run is no sweep."""

    def on_run_end(self, config: Any, **_: Any) -> None:
        """Do nothing: a single run is no sweep."""

    def on_job_start(self, config: Any, **_: Any) -> None:
        """Do nothing: each trial reports its own result."""

    def on_job_end(self, config: Any, job_return: Any, **_: Any) -> None:
        """Do nothing: each trial reports its own result."""


def _direction_error(plan: SweepPlan) -> str | None:
    """Return an error if the sweeper optimizes in the wrong direction; None if the direction is right."""
    if plan.direction is None or plan.objective not in set(METRICS):
        return None
    expected = "maximize" if METRICS[plan.objective].higher_is_better else "minimize"
    if plan.direction == expected:
        return None
    return (
        f"hydra.sweeper.direction: {plan.direction} is the wrong direction for"
        f" training.selection_metric={plan.objective}; add hydra.sweeper.direction={expected}"
    )


def sweep_summary(folder: Path) -> str:
    """Return the result table of a sweep: failures, then trials from worst to best, then the next command."""
    failures, trials = sweep_results.read_failures(folder), sweep_results.read_trials(folder)
    lines = ["", f"{'#':>4}  {trials[0].metric if trials else 'objective':>12}  {'std':>9}  {'run':8}  trial"]
    lines += [
        f"{failure['number']:>4}  {'failed':>12}  {'':>9}  {'':8}  {' '.join(failure['overrides'])}"
        for failure in failures
    ]
    for trial in trials:
        std = f"{trial.std:9.5f}" if trial.std is not None else f"{'':>9}"
        lines.append(f"{trial.number!s:>4}  {trial.value:12.5f}  {std}  {trial.run_key[:8]:8}  {trial.label}")
    n_known = sum(trial.was_recorded for trial in trials)
    lines.append(f"{len(trials)} finished ({n_known} already known), {len(failures)} failed")
    lines += [f"  [{failure['number']}] {' '.join(str(failure['message']).split())[:300]}" for failure in failures]
    if trials:
        lines.append(
            f"The last trial is the best; adopt it with `mlops tracking adopt {trials[-1].run_key[:8]} --as NAME`."
        )
    return "\n".join(lines) + "\n"


def _finish_sweep_run(tracker: ExperimentTracker, parent: str, folder: Path) -> None:
    """End the run of the sweep with its result table and the metrics of the best trial."""
    failures, trials = sweep_results.read_failures(folder), sweep_results.read_trials(folder)
    with tracker.resume_run(parent):
        tracker.log_text(sweep_summary(folder), "sweep.txt")
        metrics = {"sweep.n_finished": float(len(trials)), "sweep.n_failed": float(len(failures))}
        tags = {}
        if trials:
            best = trials[-1]
            metrics[f"best.cv.{best.metric}"] = best.value
            tags = {"mlops.best_run": best.run_key, "mlops.best": best.label}
        tracker.log_batch(params={}, metrics=metrics, tags=tags)
