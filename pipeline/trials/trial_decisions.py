"""Decide trials by their comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline import state as store
from pipeline.config.groups.lifecycle_config import TrialConfig
from pipeline.trials.trial_verdict import TrialVerdict, trial_verdict

if TYPE_CHECKING:
    from pipeline.state import State, Trial
    from pipeline.trials.trial_comparison import Comparison

__all__ = ["current_verdict"]


def current_verdict(state: State, trial: Trial, comparison: Comparison) -> TrialVerdict:
    """Return the verdict of a trial by the settings that it was opened with, beside the trials that are open now."""
    with state.reading() as connection:
        open_trials = store.read_trials(connection, trial.model, is_open=True)
    n_challengers = sum(other.purpose == trial.purpose for other in open_trials)
    settings = TrialConfig.model_validate(trial.settings["trial"])
    return trial_verdict(comparison, settings, opened_at=trial.opened_at, n_challengers=max(n_challengers, 1))
