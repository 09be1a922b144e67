"""Run trials without changing the outputs of the graph, and adopt the best one into conf/."""

from pipeline.sweeps.adoption import AdoptedExperiment, adopt_run, adopt_settings, new_experiment_path
from pipeline.sweeps.engine_trials import LedgerSweepRunner
from pipeline.sweeps.trial import run_trial, trial_fingerprint

__all__ = [
    "AdoptedExperiment",
    "LedgerSweepRunner",
    "adopt_run",
    "adopt_settings",
    "new_experiment_path",
    "run_trial",
    "trial_fingerprint",
]
