"""Compute the verdict of a trial again from log and outcomes, and compare it with what is stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline import state as store
from pipeline.config.groups.lifecycle_config import TrialConfig
from pipeline.files import canonical_json
from pipeline.trials.trial_comparison import read_comparison, recompute_comparison
from pipeline.trials.trial_decisions import current_verdict
from pipeline.trials.trial_verdict import trial_verdict

if TYPE_CHECKING:
    from pipeline.package import PackageStore
    from pipeline.state import State

__all__ = ["VerdictReplay", "replay_verdict"]


@dataclass(frozen=True, slots=True)
class VerdictReplay:
    """The stored verdict of a trial and the one that log and outcomes give, each as plain values."""

    trial: int
    stored: dict[str, Any]
    replayed: dict[str, Any]

    @property
    def is_equal(self) -> bool:
        """Whether both have the same bytes."""
        return canonical_json(self.stored) == canonical_json(self.replayed)

    @property
    def differences(self) -> list[str]:
        """Name each value that differs, with both values."""
        return [
            f"{name}: stored {self.stored.get(name)}, replayed {value}"
            for name, value in self.replayed.items()
            if self.stored.get(name) != value
        ]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {"trial": self.trial, "stored": self.stored, "replayed": self.replayed, "is_equal": self.is_equal}


def replay_verdict(state: State, packages: PackageStore, seq: int) -> VerdictReplay:
    """Score the logged rows of a trial again up to the outcome that its last decision rests on.

    A trial without a decision is replayed up to the last outcome in its sums.

    Raises
    ------
    IntegrityError
        When a package is missing or damaged.
    UsageError
        When there is no such trial.
    """
    with state.reading() as connection:
        trial = store.find_trial(connection, seq)
    stored = trial.evidence.get("verdict")
    if stored is None:
        stored = current_verdict(state, trial, read_comparison(state, trial)).as_dict()
    comparison = recompute_comparison(
        state, packages, trial, until_outcome=stored["until_outcome"], compared_at=stored["compared_at"]
    )
    replayed = trial_verdict(
        comparison,
        TrialConfig.model_validate(trial.settings["trial"]),
        opened_at=trial.opened_at,
        n_challengers=stored["n_challengers"],
    )
    return VerdictReplay(seq, stored, replayed.as_dict())
