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
from pipeline.errors import ConfigError
from pipeline.modeling.training import train_classifier
from pipeline.project import paths
from pipeline.schema import Schema
from pipeline.sweeps.sweep_ledger import open_ledger
from pipeline.sweeps.trial_rows import load_train_rows, train_rows_identity
from pipeline.tracking import make_tracker
from pipeline.tracking.projection import logged_params

if TYPE_CHECKING:
    from collections.abc import Collection

    from pipeline.config.root_config import Config
    from pipeline.state.sweep_trials import SweepTrial
    from pipeline.sweeps.sweep_ledger import SweepLedger
    from pipeline.tracking import ExperimentTracker

__all__ = ["run_trial", "trial_fingerprint"]

_DVC_FILE = Path("dvc.yaml")
# A project on an installed engine has `engine/train.digest` in place of sources.
_CODE_SUFFIXES = (".py", ".digest")


def run_trial(config: Config) -> float:
    """Return the cross-validated objective of one configuration on the train part.

    The trial is tracked as a run, in a sweep as a child of the run of the sweep. A configuration that the ledger
    of sweeps knows is not fitted again, so a stopped sweep resumes when it is started again.

    Raises
    ------
    ConfigError
        When the rows on disk do not match the settings, or the estimator cannot be built.
    TrialBusy
        When another worker runs the same configuration, and the job does not wait for it.
    """
    job, ledger = current_job(), open_ledger()
    started = time.monotonic()
    sweep = None if job.sweep is None else ledger.find_sweep(job.sweep)
    label = _varied_overrides(job, () if sweep is None else sweep.varies) or "as configured"
    metric = config.training.selection_metric
    trial = ledger.claim(job, trial_fingerprint(config), label=label, metric=metric)
    if trial.state == "running":
        with ledger.renewing(trial):
            trial = _tracked_result(config, trial, ledger, parent=None if sweep is None else sweep.parent_run)
    _report_trial(trial, ledger, duration_s=time.monotonic() - started)
    if trial.value is None:
        raise ConfigError(f"training.selection_metric: the recorded trial {trial.seq} has no {metric}")
    return trial.value


def _tracked_result(config: Config, trial: SweepTrial, ledger: SweepLedger, *, parent: str | None) -> SweepTrial:
    """Cross-validate, log the run of the trial, and store its result in the ledger."""
    tracker = make_tracker(config.tracking)
    run = tracker.start_run(
        trial.label if trial.label.startswith("model=") else f"{config.model.name}: {trial.label}",
        fingerprint=trial.fingerprint,
        parent_id=parent,
        tags={
            "mlops.kind": "trial",
            "mlops.objective": trial.metric,
            "mlops.varies": trial.label,
            "mlops.overrides": " ".join(trial.overrides),
        },
    )
    with run:
        # A worker that was killed between the two has logged the run and not stored the result.
        if not run.was_finished:
            _train_and_log(config, tracker)
    metrics = {name[3:]: value for name, value in run.metrics.items() if name.startswith("cv.")}
    return ledger.finish(trial, metrics, std=run.metrics.get(f"cv_spread.{trial.metric}"), run=run.key)


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
        engine=config.engine,
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
    """Return the hash of each code file, or of the digest of the engine's code, that dvc.yaml names for training."""
    graph = files.parse_yaml(_DVC_FILE.read_text(encoding="utf-8"))
    dependencies = [Path(name) for name in graph["stages"]["train"]["deps"]]
    code = [file for path in dependencies for file in (sorted(path.rglob("*.py")) if path.is_dir() else [path])]
    return {path.as_posix(): files.sha256_file(path) for path in code if path.suffix in _CODE_SUFFIXES}


def _varied_overrides(job: HydraJob, varies: Collection[str]) -> str:
    """Return the overrides that vary between trials, with short keys if they are unique."""
    overrides = [word for word in job.overrides if not word.startswith(("hydra", "hparams_search", "engine"))]
    if varies:
        overrides = [word for word in overrides if word.partition("=")[0].lstrip("+") in varies]
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


def _report_trial(trial: SweepTrial, ledger: SweepLedger, *, duration_s: float) -> None:
    line = trial_line(trial, duration_s=duration_s)
    if trial.sweep is None:
        sys.stdout.write(f"[trial] {line}; run {(trial.run_key or '')[:8]}\n")
        return
    progress = ledger.progress(trial.sweep)
    n_done = len(progress.results) + len(progress.failures)
    best = progress.results[-1] if progress.results else trial
    words = "best so far" if best.number == trial.number else f"best so far {best.value:.5f}"
    sys.stdout.write(f"[{n_done}/{progress.sweep.n_jobs}] {line}; {words}\n")
    sys.stdout.flush()


def trial_line(trial: SweepTrial, *, duration_s: float) -> str:
    """Return label, objective and duration in one line."""
    std = f" +- {trial.std:.5f}" if trial.std is not None else ""
    duration = "already known" if trial.was_recorded else f"{duration_s:.1f} s"
    return f"{trial.label}: {trial.metric} {trial.value:.5f}{std} ({duration})"
