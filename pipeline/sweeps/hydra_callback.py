"""Hydra callback of sweeps: plan a sweep, print its result table, and end its run."""

from __future__ import annotations

import atexit
import sys
from contextlib import suppress
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, NoReturn

from pipeline.config.hydra_job import plan_sweep, set_current_sweep
from pipeline.errors import ConfigError, DependencyUnavailable, MlopsError
from pipeline.metrics import METRICS
from pipeline.sweeps.sweep_ledger import open_ledger
from pipeline.tracking import end_abandoned_runs, make_tracker

if TYPE_CHECKING:
    from pipeline.config.hydra_job import SweepPlan
    from pipeline.sweeps.sweep_ledger import SweepProgress
    from pipeline.tracking import ExperimentTracker

__all__ = ["SweepCallback", "sweep_summary"]


class SweepCallback:
    """Callback that Hydra calls before and after a sweep; conf/hydra/default.yaml names it.

    Hydra calls no callback for an interrupted sweep, so the sweep also ends at process exit.
    """

    def __init__(self) -> None:
        self._open_sweep: dict[str, Any] = {}

    def on_multirun_start(self, config: Any, **_: Any) -> None:
        """Add the sweep to the ledger with a run, and end the runs of earlier sweeps whose process is gone."""
        plan = plan_sweep(config)
        problem = _direction_error(plan)
        if problem is not None:
            # Hydra turns an exception of a callback into a warning; SystemExit ends the process.
            _exit(problem, ConfigError.exit_code)
        tracker = make_tracker(config.tracking)
        with suppress(DependencyUnavailable):
            end_abandoned_runs(tracker)
        try:
            sweep = open_ledger().start_sweep(plan, parent_run=_start_sweep_run(tracker, plan, config.data.name))
        except MlopsError as error:
            _exit(str(error), error.exit_code)
        set_current_sweep(sweep)
        self._open_sweep = {"sweep": sweep, "tracking": config.tracking}
        atexit.register(self._finish)

    def on_multirun_end(self, config: Any, **_: Any) -> None:  # noqa: ARG002 - Hydra calls it so
        """Print the result table and end the run of the sweep."""
        self._finish()

    def _finish(self) -> None:
        if not self._open_sweep:
            return
        sweep, tracking = self._open_sweep["sweep"], self._open_sweep["tracking"]
        self._open_sweep = {}
        ledger = open_ledger()
        ledger.end_sweep(sweep)
        progress = ledger.progress(sweep)
        if progress.failures or progress.results:
            sys.stdout.write(sweep_summary(progress))
            sys.stdout.flush()
        _finish_sweep_run(make_tracker(tracking), progress)

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


def _exit(message: str, code: int) -> NoReturn:
    sys.stderr.write(f"{message}\n")
    raise SystemExit(code)


def _start_sweep_run(tracker: ExperimentTracker, plan: SweepPlan, data_name: str) -> str:
    """Create the run of the whole sweep, without ending it, and return its key."""
    varies = ", ".join(key.rpartition(".")[2] for key in plan.varies)
    tags = {"mlops.kind": "sweep", "mlops.objective": plan.objective, "mlops.sweep": PurePath(plan.folder).name}
    run = tracker.start_run(f"sweep over {varies or 'nothing'} on {data_name}", tags=tags)
    tracker.detach_run(run)
    return run.key


def sweep_summary(progress: SweepProgress) -> str:
    """Return the result table of a sweep: failures, then trials from worst to best, then the next command."""
    failures, trials = progress.failures, progress.results
    lines = ["", f"{'#':>4}  {trials[0].metric if trials else 'objective':>12}  {'std':>9}  {'run':8}  trial"]
    lines += [
        f"{failure.number!s:>4}  {'failed':>12}  {'':>9}  {'':8}  {' '.join(failure.overrides)}" for failure in failures
    ]
    for trial in trials:
        std = f"{trial.std:9.5f}" if trial.std is not None else f"{'':>9}"
        lines.append(f"{trial.number!s:>4}  {trial.value:12.5f}  {std}  {(trial.run_key or '')[:8]:8}  {trial.label}")
    n_known = sum(trial.was_recorded for trial in trials)
    lines.append(f"{len(trials)} finished ({n_known} already known), {len(failures)} failed")
    lines += [f"  [{failure.number}] {' '.join(str(failure.error).split())[:300]}" for failure in failures]
    if trials:
        lines.append(
            "The last trial is the best; adopt it with"
            f" `mlops tracking adopt {(trials[-1].run_key or '')[:8]} --as NAME`."
        )
    return "\n".join(lines) + "\n"


def _finish_sweep_run(tracker: ExperimentTracker, progress: SweepProgress) -> None:
    """End the run of the sweep with its result table and the metrics of the best trial."""
    if progress.sweep.parent_run is None:
        return
    with tracker.resume_run(progress.sweep.parent_run):
        tracker.log_text(sweep_summary(progress), "sweep.txt")
        metrics = {"sweep.n_finished": float(len(progress.results)), "sweep.n_failed": float(len(progress.failures))}
        tags = {}
        if progress.results:
            best = progress.results[-1]
            metrics[f"best.cv.{best.metric}"] = best.value or 0.0
            tags = {"mlops.best_run": best.run_key or "", "mlops.best": best.label}
        tracker.log_batch(params={}, metrics=metrics, tags=tags)
