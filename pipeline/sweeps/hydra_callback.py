"""Stand around a sweep as a Hydra callback: plan it, end its run, and print the table with the best last."""

from __future__ import annotations

import atexit
import sys
from typing import TYPE_CHECKING, Any

from pipeline.config.hydra_job import plan_sweep
from pipeline.metrics import METRICS
from pipeline.sweeps import sweep_results
from pipeline.tracking import ExperimentTracker, make_tracker

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.config.hydra_job import SweepPlan

__all__ = ["SweepCallback", "sweep_summary"]


class SweepCallback:
    """What Hydra calls before and after a sweep; named in conf/config.yaml.

    Hydra tells no callback of a sweep that was cut short, so the end is also called at the end of the process.
    """

    def __init__(self) -> None:
        self._open_sweep: dict[str, Any] = {}

    def on_multirun_start(self, config: Any, **_: Any) -> None:
        """Write down what the sweep is going to do."""
        plan = plan_sweep(config)
        wrong = _direction_error(plan)
        if wrong is not None:
            # Hydra turns an exception of a callback into a warning; this ends the process.
            sys.stderr.write(f"{wrong}\n")
            raise SystemExit(3)
        plan.folder.mkdir(parents=True, exist_ok=True)
        sweep_results.write_plan(plan)
        self._open_sweep = {"folder": plan.folder, "tracking": config.tracking}
        atexit.register(self._finish)

    def on_multirun_end(self, config: Any, **_: Any) -> None:  # noqa: ARG002 - Hydra calls it so
        """Print the table and end the sweep's run."""
        self._finish()

    def _finish(self) -> None:
        if not self._open_sweep:
            return
        folder, tracking = self._open_sweep["folder"], self._open_sweep["tracking"]
        self._open_sweep = {}
        found = sweep_results.read_trials(folder)
        if not found and not sweep_results.read_failures(folder):
            return
        sys.stdout.write(sweep_summary(folder))
        sys.stdout.flush()
        parent = sweep_results.read_parent(folder)
        if parent is not None:
            _finish_sweep_run(make_tracker(tracking), parent, folder)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the sweep behind when a launcher sends the callback to a worker, which ends nothing."""
        return {"_open": {}}

    def on_run_start(self, config: Any, **_: Any) -> None:
        """Do nothing: one run has no frame."""

    def on_run_end(self, config: Any, **_: Any) -> None:
        """Do nothing: one run has no frame."""

    def on_job_start(self, config: Any, **_: Any) -> None:
        """Do nothing: a member reports itself."""

    def on_job_end(self, config: Any, job_return: Any, **_: Any) -> None:
        """Do nothing: a member reports itself."""


def _direction_error(plan: SweepPlan) -> str | None:
    """Return why a sweeper that is told to go up or down would go the wrong way; None when it goes the right way."""
    if plan.direction is None or plan.objective not in set(METRICS):
        return None
    right = "maximize" if METRICS[plan.objective].higher_is_better else "minimize"
    if plan.direction == right:
        return None
    return (
        f"hydra.sweeper.direction: {plan.direction} is the wrong way for training.selection_metric={plan.objective};"
        f" add hydra.sweeper.direction={right}"
    )


def sweep_summary(folder: Path) -> str:
    """Return the table of a sweep: failures first, then from the worst to the best, and what to do with the best."""
    failed, found = sweep_results.read_failures(folder), sweep_results.read_trials(folder)
    lines = ["", f"{'#':>4}  {found[0].metric if found else 'objective':>12}  {'spread':>9}  {'run':8}  what"]
    lines += [f"{one['number']:>4}  {'failed':>12}  {'':>9}  {'':8}  {' '.join(one['overrides'])}" for one in failed]
    for trial in found:
        spread = f"{trial.std:9.5f}" if trial.std is not None else f"{'':>9}"
        lines.append(f"{trial.number!s:>4}  {trial.value:12.5f}  {spread}  {trial.run_key[:8]:8}  {trial.label}")
    n_known = sum(trial.was_recorded for trial in found)
    lines.append(f"{len(found)} finished ({n_known} known already), {len(failed)} failed")
    for one in failed:
        lines.append(f"  [{one['number']}] {' '.join(str(one['message']).split())[:300]}")
    if found:
        lines.append(
            f"The best is the last; `mlops tracking adopt {found[-1].run_key[:8]} --as NAME` makes an experiment of it."
        )
    return "\n".join(lines) + "\n"


def _finish_sweep_run(tracker: ExperimentTracker, parent: str, folder: Path) -> None:
    """End the sweep's run with its table and the figures of its best member."""
    failed, found = sweep_results.read_failures(folder), sweep_results.read_trials(folder)
    with tracker.resume_run(parent):
        tracker.log_text(sweep_summary(folder), "sweep.txt")
        metrics = {"sweep.n_finished": float(len(found)), "sweep.n_failed": float(len(failed))}
        tags = {}
        if found:
            metrics[f"best.cv.{found[-1].metric}"] = found[-1].value
            tags = {"mlops.best_run": found[-1].run_key, "mlops.best": found[-1].label}
        tracker.log_batch(params={}, metrics=metrics, tags=tags)
