"""Carry out steps of trials: each is one transaction with an audit entry and the evidence that it rests on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pipeline import state as store
from pipeline.config.groups.lifecycle_config import TrialConfig
from pipeline.errors import ConfigError, IntegrityError
from pipeline.registry.stage_transitions import promote_within, roll_back_within
from pipeline.state import LOOP_ACTOR
from pipeline.trials.paired_losses import check_comparable
from pipeline.trials.trial_comparison import load_pair
from pipeline.trials.trial_verdict import TrialVerdict, trial_verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.config.groups.lifecycle_config import LifecycleConfig
    from pipeline.package import PackageStore
    from pipeline.state import AuditEntry, State, Trial
    from pipeline.trials.trial_comparison import Comparison
    from pipeline.trials.trial_plan import PlannedStep

__all__ = ["StepWriter", "current_verdict", "production_change_after", "require_decided"]


def current_verdict(state: State, trial: Trial, comparison: Comparison) -> TrialVerdict:
    """Return the verdict of a trial by the settings that it was opened with, beside the trials that are open now.

    A decided trial keeps the number of challengers that its decision rests on.
    """
    with state.reading() as connection:
        open_trials = store.read_trials(connection, trial.model, is_open=True)
    n_challengers = sum(other.purpose == trial.purpose for other in open_trials)
    if not trial.is_open:
        n_challengers = trial.evidence.get("verdict", {}).get("n_challengers", n_challengers + 1)
    settings = TrialConfig.model_validate(trial.settings["trial"])
    return trial_verdict(comparison, settings, opened_at=trial.opened_at, n_challengers=max(n_challengers, 1))


def require_decided(connection: Any, trial: Trial) -> None:
    """Refuse a trial that does not follow from the audit trail.

    Raises
    ------
    IntegrityError
        With the difference.
    """
    found = store.find_undecided_trials(connection, trial.model)
    changes = [change for change in found if change.row == str(trial.seq)]
    if changes:
        raise IntegrityError(
            f"trial {trial.seq} does not follow from the audit trail: {'; '.join(map(str, changes))};"
            f" end it: `mlops trial stop {trial.seq} --reason ...`"
        )


def production_change_after(connection: Any, trial: Trial) -> AuditEntry | None:
    """Return the last decision that changed Production since a trial was opened; None while its champion stays.

    The audit trail gives the order: clocks of two machines may differ.
    """
    entries = store.read_audit_entries(connection, model=trial.model)
    openings = (entry.seq for entry in entries if entry.evidence.get("trial", {}).get("seq") == trial.seq)
    opened_by_entry = next(openings, 0)
    changes = [entry for entry in entries if entry.seq > opened_by_entry and _changes_production(entry)]
    return changes[-1] if changes else None


def _changes_production(entry: AuditEntry) -> bool:
    return entry.before.get("Production") != entry.after.get("Production")


@dataclass(frozen=True, slots=True)
class StepWriter:
    """Writes steps of trials in the name of an actor."""

    state: State
    packages: PackageStore
    config: LifecycleConfig
    actor: str

    def write(self, trial: Trial, step: PlannedStep, *, evidence: Mapping[str, Any], expected_generation: int) -> Trial:
        """Carry a step out and return the trial as it is then.

        Raises
        ------
        Conflict
            When another decision was made since `expected_generation`.
        GateRefused
            When the challenger did not pass its gates.
        """
        at = self.state.clock()
        event = store.AuditEvent(self.actor, f"trial {step.end or step.action}", at, step.reason)
        changed = replace(trial, proposal=None, evidence=dict(evidence), step_at=at)
        if step.action == "canary":
            changed = replace(changed, state="canary", step=step.step, share=step.share)
        elif step.action == "end":
            changed = replace(changed, state=step.end or "void", share=0.0, decided_at=at)
        else:
            changed = replace(changed, state="won", share=0.0, decided_at=at)
        watch = self._watch_after(trial, at) if step.action == "promote" else None
        with self.state.writing() as connection:
            store.update_trial(connection, changed, event, expected_generation=expected_generation)
            if step.action == "promote":
                promotion = replace(event, action="promote", evidence={"trial_number": trial.seq})
                promote_within(connection, trial.model, trial.challenger, stage="Production", event=promotion)
                if watch is not None:
                    reason = f"version {trial.champion} stays ready for a rollback after trial {trial.seq}"
                    store.add_trial(connection, watch, store.AuditEvent(self.actor, "open trial", at, reason))
            elif step.action == "roll back":
                rollback = replace(event, action="rollback", evidence={"trial_number": trial.seq})
                roll_back_within(connection, trial.model, to=trial.challenger, event=rollback)
        return changed

    def propose(
        self, trial: Trial, step: PlannedStep, *, evidence: Mapping[str, Any], expected_generation: int
    ) -> Trial:
        """Write a step down for a person to approve.

        Raises
        ------
        Conflict
            When another decision was made since `expected_generation`.
        """
        event = store.AuditEvent(self.actor, f"propose trial {step.action}", self.state.clock(), step.reason)
        proposed = replace(trial, proposal=step.action, evidence=dict(evidence))
        with self.state.writing() as connection:
            return store.update_trial(connection, proposed, event, expected_generation=expected_generation)

    def may_roll_back(self, trial: Trial) -> bool:
        """Whether a rollback needs no person: the loop promoted, and rolled back less often than `max_rollbacks`."""
        if trial.opened_by != LOOP_ACTOR:
            return False
        with self.state.reading() as connection:
            entries = store.read_audit_entries(connection, model=trial.model)
        by_loop = 0
        for entry in reversed(entries):
            if not _changes_production(entry):
                continue
            if entry.actor != LOOP_ACTOR:
                break
            by_loop += entry.action == "rollback"
        return by_loop < self.config.watch.max_rollbacks

    def _watch_after(self, trial: Trial, at: int) -> Trial | None:
        """Return the watch that a promotion opens; None where nothing is watched or the log cannot compare."""
        if self.config.watch.days == 0:
            return None
        pair = load_pair(self.packages, trial)
        try:
            check_comparable(replace(pair, champion=pair.challenger, challenger=pair.champion))
        except (ConfigError, IntegrityError):
            return None
        # Not being worse by more than a margin is no reason to roll back: the earlier version must be better.
        rule = {**trial.settings["trial"], "test": "superiority", "max_days": self.config.watch.days}
        settings = {"trial": rule, "canary": trial.settings["canary"]}
        return store.Trial(
            model=trial.model,
            purpose="watch",
            method="live" if pair.is_live else "replay",
            champion=trial.challenger,
            champion_digest=trial.challenger_digest,
            challenger=trial.champion,
            challenger_digest=trial.champion_digest,
            salt=trial.salt,
            settings=settings,
            fresh_from=at,
            opened_at=at,
            opened_by=self.actor,
            step_at=at,
        )
