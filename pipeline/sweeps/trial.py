"""Cross-validate one configuration, record it, and leave every output of the graph alone."""

from __future__ import annotations

import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from pipeline import files
from pipeline.config.hydra_job import HydraJob, current_job
from pipeline.metrics import METRICS
from pipeline.modeling.training import train_classifier
from pipeline.project import paths
from pipeline.schema import Schema
from pipeline.sweeps import sweep_results
from pipeline.sweeps.trial_rows import load_train_rows, train_rows_identity
from pipeline.tracking import make_tracker
from pipeline.tracking.projection import logged_params

if TYPE_CHECKING:
    from pipeline.config.root_config import Config
    from pipeline.tracking import ActiveRun, ExperimentTracker

__all__ = ["run_trial"]

_DVC_FILE = Path("dvc.yaml")


def run_trial(config: Config) -> float:
    """Return the objective of one configuration in cross-validation on the train part.

    It is recorded as a run of its own, in a sweep as a child of the sweep's run. A configuration whose
    run is finished is not fitted again: its recorded objective is returned at once. So a sweep that was
    stopped is gone on with by starting it again.

    Raises
    ------
    ConfigError
        When other rows are declared than those on disk, or the estimator cannot be built.
    """
    job = current_job()
    started = time.monotonic()
    tracker = make_tracker(config.tracking)
    parent = _sweep_run_key(job, tracker, config)
    what = _varied_overrides(job) or "as configured"
    run = tracker.start_run(
        what if what.startswith("model=") else f"{config.model.name}: {what}",
        fingerprint=_fingerprint(config),
        parent_id=parent,
        tags={
            "mlops.kind": "trial",
            "mlops.objective": config.training.selection_metric,
            "mlops.varies": what,
            "mlops.overrides": " ".join(job.overrides),
        },
    )
    with run:
        if not run.was_finished:
            _train_and_log(config, tracker)
    metric = METRICS[config.training.selection_metric]
    value = run.metrics[f"cv.{metric.name}"]
    trial = sweep_results.TrialResult(
        number=job.number,
        label=what,
        metric=metric.name,
        value=value,
        std=run.metrics.get(f"cv_spread.{metric.name}"),
        higher_is_better=metric.higher_is_better,
        run_key=run.key,
        was_recorded=run.was_finished,
        duration_s=round(time.monotonic() - started, 1),
        overrides=job.overrides,
    )
    _report_trial(job, trial)
    return value


def _train_and_log(config: Config, tracker: ExperimentTracker) -> None:
    values = config.model_dump(mode="json")
    tracker.log_text(yaml.safe_dump(values, sort_keys=False), str(paths.PARAMS))
    rows = load_train_rows(config)
    schema = Schema.from_config(config.data)
    tracker.log_dataset(rows, f"{config.data.name} train", source=str(paths.TRAIN_ROWS))
    result = train_classifier(
        rows, schema, config.features, model=config.model, training=config.training, seed=config.seed
    )
    metrics = {f"cv.{name}": value for name, value in result.mean_metrics.items() if value is not None}
    spread = {f"cv_spread.{name}": value for name, value in result.std_metrics.items() if value is not None}
    tracker.log_batch(params=logged_params(values), metrics={**metrics, **spread}, tags={})


def _fingerprint(config: Config) -> str:
    """Return the hash of everything that the objective depends on: rows, settings, our code, the libraries."""
    read = config.model_dump(mode="json", include={"seed", "data", "features", "model", "training"})
    del read["training"]["n_jobs"]
    known = {
        "kind": "trial",
        "rows": train_rows_identity(config),
        "settings": read,
        "code": _code_hashes(),
        "libraries": {name: version(name) for name in ("numpy", "pandas", "scikit-learn")},
    }
    return files.sha256(files.canonical_json(known).encode())


def _code_hashes() -> dict[str, str]:
    """Return the hash of each file of code that dvc.yaml names for training."""
    graph = yaml.safe_load(_DVC_FILE.read_text(encoding="utf-8"))
    named = [Path(word) for word in graph["stages"]["train"]["deps"]]
    code = [path for word in named for path in (sorted(word.rglob("*.py")) if word.is_dir() else [word])]
    return {path.as_posix(): files.sha256_file(path) for path in code if path.suffix == ".py"}


def _varied_overrides(job: HydraJob) -> str:
    """Return the overrides that tell this member from the others, with short keys where they are clear."""
    plan = None if job.sweep_folder is None else sweep_results.read_plan(job.sweep_folder)
    overrides = [word for word in job.overrides if not word.startswith(("hydra", "hparams_search"))]
    if plan is not None and plan.varies:
        overrides = [word for word in overrides if word.partition("=")[0].lstrip("+") in plan.varies]
    pairs = [word.partition("=") for word in overrides]
    last = [key.rpartition(".")[2] for key, _, _ in pairs]
    named = [
        (short if last.count(short) == 1 else key, _shorten_number(value))
        for (key, _, value), short in zip(pairs, last, strict=True)
    ]
    return " ".join(f"{key}={value}" for key, value in named)


def _shorten_number(value: str) -> str:
    try:
        number = float(value)
    except ValueError:
        return value
    return value if number.is_integer() or len(value) <= 8 else f"{number:.4g}"


def _sweep_run_key(job: HydraJob, tracker: ExperimentTracker, config: Config) -> str | None:
    """Return the run that stands for the whole sweep; the first member makes it."""
    folder = job.sweep_folder
    if folder is None:
        return None
    with files.exclusive_lock(folder / "parent.lock", operation="opening the sweep's run", wait_s=60):
        known = sweep_results.read_parent(folder)
        if known is None:
            plan = sweep_results.read_plan(folder)
            varies = ", ".join(key.rpartition(".")[2] for key in plan.varies) if plan is not None else ""
            tags = {
                "mlops.kind": "sweep",
                "mlops.objective": config.training.selection_metric,
                "mlops.sweep": folder.name,
            }
            run = tracker.start_run(f"sweep over {varies or 'nothing'} on {config.data.name}", tags=tags)
            known = _detach_run(tracker, run)
            sweep_results.write_parent(folder, known)
    return known


def _detach_run(tracker: ExperimentTracker, run: ActiveRun) -> str:
    """Let go of a run without ending it; the sweep's frame ends it by its key."""
    tracker.detach_run(run)
    return run.key


def _report_trial(job: HydraJob, trial: sweep_results.TrialResult) -> None:
    if job.folder is None or job.sweep_folder is None:
        sys.stdout.write(f"[trial] {trial_line(trial)}; run {trial.run_key[:8]}\n")
        return
    sweep_results.write_trial(job.folder, trial)
    plan, found = sweep_results.read_plan(job.sweep_folder), sweep_results.read_trials(job.sweep_folder)
    n_done = len(found) + len(sweep_results.read_failures(job.sweep_folder))
    best = "best so far" if found[-1].number == trial.number else f"best so far {found[-1].value:.5f}"
    sys.stdout.write(f"[{n_done}/{plan.n_jobs if plan is not None else '?'}] {trial_line(trial)}; {best}\n")
    sys.stdout.flush()


def trial_line(trial: sweep_results.TrialResult) -> str:
    """Return what varied, what was found, and how long it took, in one line."""
    spread = f" +- {trial.std:.5f}" if trial.std is not None else ""
    took = "known already" if trial.was_recorded else f"{trial.duration_s:.1f} s"
    return f"{trial.label}: {trial.metric} {trial.value:.5f}{spread} ({took})"
