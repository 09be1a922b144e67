"""Run trials without changing the outputs of the graph, and adopt the best one into conf/."""

from pipeline.sweeps.adoption import AdoptedExperiment, adopt_run
from pipeline.sweeps.trial import run_trial

__all__ = ["AdoptedExperiment", "adopt_run", "run_trial"]
