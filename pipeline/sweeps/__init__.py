"""Try configurations without touching the graph's outputs, and carry the best one into conf/."""

from pipeline.sweeps.adoption import Adopted, adopt
from pipeline.sweeps.trial import run_trial

__all__ = ["Adopted", "adopt", "run_trial"]
