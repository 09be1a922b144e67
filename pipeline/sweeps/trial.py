"""Cross-validate one configuration and track it, without changing the outputs of the graph."""

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
from pipeline.tracking.run_process import PROCESS_TAG

if TYPE_CHECKING:
    from pipeline.config.root_config import Config
    from pipeline.tracking import ActiveRun, ExperimentTracker

__all__ = ["run_trial", "trial_fingerprint"]

_DVC_FILE = Path("dvc.yaml")


def run_trial(config: Config) -> float:
    """Return the cross-validated objective of one configuration on the train part.

    The trial is tracked as a run, in a sweep as a child of the run of the sweep. A configuration with a
    finished run is not fitted again; its recorded objective is returned. So a stopped sweep resumes when
    it is started again.

    Raises
    ------
    ConfigError
        When the rows on disk do not match the settings, or the estimator cannot be built.
    """
    job = current_job()
    started = time.monotonic()
    tracker = make_tracker(config.tracking)
    parent = _sweep_run_key(job, tracker, config)
    label = _varied_overrides(job) or "as configured"
    run = tracker.start_run(
        label if label.startswith("model=") else f"{config.model.name}: {label}",
        fingerprint=trial_fingerprint(config),
        parent_id=parent,
        tags={
            "mlops.kind": "trial",
            "mlops.objective": config.training.selection_metric,
            "mlops.varies": label,
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
        label=label,
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
        rows,
        schema,
        config.features,
        model=config.model,
        training=config.training,
        seed=config.seed,
        fairness=config.fairness,
    )
    metrics = {f"cv.{name}": value for name, value in result.mean_metrics.items() if value is not None}
    spread = {f"cv_spread.{name}": value for name, value in result.std_metrics.items() if value is not None}
    tracker.log_batch(params=logged_params(values), metrics={**metrics, **spread}, tags={})


def trial_fingerprint(config: Config) -> str:
    """Return the hash of all that the objective depends on: rows, settings, code, libraries."""
    settings = config.model_dump(mode="json", include={"seed", "data", "features", "model", "training", "fairness"})
    del settings["training"]["n_jobs"]
    dependencies = {
        "kind": "trial",
        "rows": train_rows_identity(config),
        "settings": settings,
        "code": _code_hashes(),
        "libraries": {name: version(name) for name in ("numpy", "pandas", "scikit-learn")},
    }
    return files.sha256(files.canonical_json(dependencies).encode())


def _code_hashes() -> dict[str, str]:
    """Return the hash of each code file that dvc.yaml names for training."""
    graph = files.parse_yaml(_DVC_FILE.read_text(encoding="utf-8"))
    dependencies = [Path(name) for name in graph["stages"]["train"]["deps"]]
    code = [file for path in dependencies for file in (sorted(path.rglob("*.py")) if path.is_dir() else [path])]
    return {path.as_posix(): files.sha256_file(path) for path in code if path.suffix == ".py"}


def _varied_overrides(job: HydraJob) -> str:
    """Return the overrides that vary between trials, with short keys if they are unique."""
    plan = None if job.sweep_folder is None else sweep_results.read_plan(job.sweep_folder)
    overrides = [word for word in job.overrides if not word.startswith(("hydra", "hparams_search"))]
    if plan is not None and plan.varies:
        overrides = [word for word in overrides if word.partition("=")[0].lstrip("+") in plan.varies]
    pairs = [word.partition("=") for word in overrides]
    short_keys = [key.rpartition(".")[2] for key, _, _ in pairs]
    named = [
        (short if short_keys.count(short) == 1 else key, _shorten_number(value))
        for (key, _, value), short in zip(pairs, short_keys, strict=True)
    ]
    return " ".join(f"{key}={value}" for key, value in named)


def _shorten_number(value: str) -> str:
    try:
        number = float(value)
    except ValueError:
        return value
    return value if number.is_integer() or len(value) <= 8 else f"{number:.4g}"


def _sweep_run_key(job: HydraJob, tracker: ExperimentTracker, config: Config) -> str | None:
    """Return the key of the run of the whole sweep; the first trial creates it."""
    folder = job.sweep_folder
    if folder is None:
        return None
    with files.exclusive_lock(folder / "parent.lock", operation="creating the run of the sweep", wait_s=60):
        run_key = sweep_results.read_parent(folder)
        if run_key is None:
            plan = sweep_results.read_plan(folder)
            varies = ", ".join(key.rpartition(".")[2] for key in plan.varies) if plan is not None else ""
            tags = {
                "mlops.kind": "sweep",
                "mlops.objective": config.training.selection_metric,
                "mlops.sweep": folder.name,
                # A launcher may run the trial in a worker, which ends before the sweep does.
                PROCESS_TAG: sweep_results.read_process(folder),
            }
            run = tracker.start_run(f"sweep over {varies or 'nothing'} on {config.data.name}", tags=tags)
            run_key = _detach_run(tracker, run)
            sweep_results.write_parent(folder, run_key)
    return run_key


def _detach_run(tracker: ExperimentTracker, run: ActiveRun) -> str:
    """Release a run without ending it; the callback of the sweep ends it by its key."""
    tracker.detach_run(run)
    return run.key


def _report_trial(job: HydraJob, trial: sweep_results.TrialResult) -> None:
    if job.folder is None or job.sweep_folder is None:
        sys.stdout.write(f"[trial] {trial_line(trial)}; run {trial.run_key[:8]}\n")
        return
    sweep_results.write_trial(job.folder, trial)
    plan, trials = sweep_results.read_plan(job.sweep_folder), sweep_results.read_trials(job.sweep_folder)
    n_done = len(trials) + len(sweep_results.read_failures(job.sweep_folder))
    best = "best so far" if trials[-1].number == trial.number else f"best so far {trials[-1].value:.5f}"
    sys.stdout.write(f"[{n_done}/{plan.n_jobs if plan is not None else '?'}] {trial_line(trial)}; {best}\n")
    sys.stdout.flush()


def trial_line(trial: sweep_results.TrialResult) -> str:
    """Return label, objective and duration in one line."""
    std = f" +- {trial.std:.5f}" if trial.std is not None else ""
    duration = "already known" if trial.was_recorded else f"{trial.duration_s:.1f} s"
    return f"{trial.label}: {trial.metric} {trial.value:.5f}{std} ({duration})"
