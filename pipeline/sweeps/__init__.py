"""Try configurations without touching the graph's outputs, and carry the best one into conf/."""

from pipeline.sweeps.adoption import AdoptedExperiment, adopt_run
from pipeline.sweeps.trial import run_trial

__all__ = ["AdoptedExperiment", "adopt_run", "run_trial"]
