"""Read what the state database knows about the loop of a model: its last run, what is open, what waits for a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.state.leases import loop_lease_name, read_lease
from pipeline.state.loop_runs import last_loop_run
from pipeline.state.retrains import read_retrains
from pipeline.state.trials import read_trials

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from pipeline.state.leases import Lease
    from pipeline.state.loop_runs import LoopRun
    from pipeline.state.retrains import Retrain
    from pipeline.state.trials import Trial

__all__ = ["LoopFacts", "WaitingDecision", "read_loop_facts"]


@dataclass(frozen=True, slots=True)
class WaitingDecision:
    """A decision that waits for a person: what it is about, in one clause, and the command that makes it."""

    subject: str
    sentence: str
    command: str


@dataclass(frozen=True, slots=True)
class LoopFacts:
    """What is known about the loop of a model.

    Attributes
    ----------
    last_run : LoopRun or None
        None if the loop never ran.
    open_trials : tuple of Trial
    retrains : tuple of Retrain
        All of them, the oldest first.
    lease : Lease or None
        That of a run which has not ended.
    decided_trials : tuple of Trial
        All of them, the oldest first.
    """

    last_run: LoopRun | None = None
    open_trials: tuple[Trial, ...] = ()
    retrains: tuple[Retrain, ...] = ()
    lease: Lease | None = None
    decided_trials: tuple[Trial, ...] = ()

    def is_running(self, now: int) -> bool:
        """Whether a run has not ended at a moment."""
        return self.lease is not None and self.lease.expires_at > now

    @property
    def waiting(self) -> tuple[WaitingDecision, ...]:
        """The decisions that wait for a person, those about trials first."""
        return (
            *(_about_trial(trial) for trial in self.open_trials if trial.proposal is not None),
            *(_about_retrain(retrain) for retrain in self.retrains if retrain.state in ("asked", "needs_decision")),
        )

    @property
    def n_retrains_by_state(self) -> dict[str, int]:
        """Number of retrains in each state that one has."""
        states = sorted({retrain.state for retrain in self.retrains})
        return {state: sum(retrain.state == state for retrain in self.retrains) for state in states}


def read_loop_facts(connection: Connection, model: str) -> LoopFacts:
    """Return what is known about the loop of a model."""
    return LoopFacts(
        last_loop_run(connection, model),
        tuple(read_trials(connection, model, is_open=True)),
        tuple(read_retrains(connection, model)),
        read_lease(connection, loop_lease_name(model)),
        tuple(read_trials(connection, model, is_open=False)),
    )


def _about_trial(trial: Trial) -> WaitingDecision:
    sentence = f"trial {trial.seq} of version {trial.challenger} proposes to {trial.proposal}"
    if trial.proposal == "canary":
        sentence = f"trial {trial.seq} proposes a canary of version {trial.challenger}"
    return WaitingDecision(f"trial {trial.seq}", sentence, f"mlops trial approve {trial.seq}")


def _about_retrain(retrain: Retrain) -> WaitingDecision:
    subject = f"retrain {retrain.seq}"
    if retrain.state == "asked":
        return WaitingDecision(
            subject, f"{subject} is proposed ({retrain.cause})", f"mlops retrain approve {retrain.seq}"
        )
    sentence = f"{subject} has a candidate that only a person may approve"
    return WaitingDecision(subject, sentence, f"mlops retrain show {retrain.seq}")
