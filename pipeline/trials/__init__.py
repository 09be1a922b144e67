"""Trials: compare a challenger with the champion on logged predictions, and decide when enough is known."""

from pipeline.trials.gain_band import GainPoint, gain_band
from pipeline.trials.paired_losses import ModelPair
from pipeline.trials.trial_actions import TrialRequest, start_trial, stop_trial
from pipeline.trials.trial_comparison import Comparison, read_comparison, update_comparison
from pipeline.trials.trial_decisions import current_verdict
from pipeline.trials.trial_steps import advance_trials, approve_trial, is_stop_due
from pipeline.trials.trial_verdict import TrialVerdict, trial_verdict
from pipeline.trials.verdict_replay import VerdictReplay, replay_verdict

__all__ = [
    "Comparison",
    "GainPoint",
    "ModelPair",
    "TrialRequest",
    "TrialVerdict",
    "VerdictReplay",
    "advance_trials",
    "approve_trial",
    "current_verdict",
    "gain_band",
    "is_stop_due",
    "read_comparison",
    "replay_verdict",
    "start_trial",
    "stop_trial",
    "trial_verdict",
    "update_comparison",
]
