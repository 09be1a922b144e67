"""The part of the loop that retrains: ask, carry out, and clean up, or give the reason why nothing happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline import state as store
from pipeline.errors import ConfigError, Conflict, DataError, GateRefused, MlopsError
from pipeline.retraining.retrain_request import ask_for_retrain, look_ahead
from pipeline.retraining.retrain_steps import approve_retrain, run_retrain
from pipeline.retraining.retrain_worktree import delete_branch, has_checkout
from pipeline.state import DAY_US, LoopDecision

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.retraining.retrain_request import RetrainOutlook
    from pipeline.state import LoopContext, Retrain

__all__ = ["advance_retrains", "decision_of"]

_BRANCH_DAYS = 30
_IN_CHECKOUT = ("approved", "snapshot", "trained", "committed")
_LOST_TRIALS = ("lost", "harmful", "undecided", "aborted", "void")


def advance_retrains(context: LoopContext) -> list[LoopDecision]:
    """Continue the open retrain, or look whether a trigger asks for one; delete branches of dropped candidates."""
    if context.mode == "off":
        return []
    return [*_delete_old_branches(context), _advance(context)]


def decision_of(retrain: Retrain) -> LoopDecision:
    """Return the state that a retrain reached as a decision of the loop."""
    subject = f"retrain {retrain.seq}"
    facts = {"state": retrain.state, "branch": retrain.branch, "version": retrain.version, "trial": retrain.trial}
    approve = f"`mlops retrain approve {retrain.seq}`"
    branch = f" on branch {retrain.branch}" if retrain.branch is not None else ""
    words = {
        "asked": ("none", f"waits for a person: {approve} starts it ({retrain.facts['reason']})", ""),
        "needs_decision": ("none", f"waits for a person: read the report{branch}, then {approve}", ""),
        "on_trial": ("open trial", f"version {retrain.version}{branch} is on trial {retrain.trial}", ""),
        "refused": ("refuse", f"the candidate was refused: {retrain.error}", "GateRefused"),
        "failed": ("fail", f"the retrain failed: {retrain.error}", "DependencyUnavailable"),
        "discarded": ("discard", f"the retrain was discarded: {retrain.error}", ""),
    }
    action, reason, error = words.get(retrain.state, ("none", f"is in state {retrain.state}", ""))
    return LoopDecision(subject, action, reason, facts, error=error)


def _advance(context: LoopContext) -> LoopDecision:
    with context.state.reading() as connection:
        open_retrain = next(iter(store.read_retrains(connection, context.model, is_open=True)), None)
    if open_retrain is not None:
        return _continue(context, open_retrain)
    if (waiting := _candidate_on_trial(context)) is not None:
        reason = f"the candidate of retrain {waiting.seq} is on trial {waiting.trial}; its verdict comes first"
        return LoopDecision("retraining", "none", reason)
    try:
        outlook = look_ahead(context)
    except (ConfigError, DataError) as error:
        return LoopDecision("retraining", "none", str(error), error=type(error).__name__)
    if outlook.trigger.cause is None:
        return LoopDecision("retraining", "none", outlook.trigger.reason, outlook.as_dict(), outlook.trigger.next_at)
    return _ask(context, outlook, outlook.trigger.cause)


def _candidate_on_trial(context: LoopContext) -> Retrain | None:
    """Return the retrain whose candidate is on an open trial; None without one."""
    with context.state.reading() as connection:
        open_trials = {trial.seq for trial in store.read_trials(connection, context.model, is_open=True)}
        retrains = store.read_retrains(connection, context.model)
    return next((retrain for retrain in retrains if retrain.trial in open_trials), None)


def _ask(context: LoopContext, outlook: RetrainOutlook, cause: str) -> LoopDecision:
    reason = outlook.trigger.reason
    try:
        is_elsewhere = not has_checkout(context.root)
        asked = ask_for_retrain(context, outlook, cause=cause, reason=reason, runs_elsewhere=is_elsewhere)
    except (GateRefused, Conflict) as error:
        subject, action = ("labels", "hold") if isinstance(error, GateRefused) else ("retraining", "none")
        return LoopDecision(subject, action, str(error), outlook.as_dict(), error=type(error).__name__)
    if context.may_act:
        return _continue(context, asked)
    proposal = f"{reason}; `mlops retrain approve {asked.seq}` starts it"
    return LoopDecision(f"retrain {asked.seq}", "propose retrain", proposal, outlook.as_dict())


def _continue(context: LoopContext, retrain: Retrain) -> LoopDecision:
    try:
        if retrain.state == "asked" and context.may_act:
            retrain = approve_retrain(context, retrain)
        if retrain.state in _IN_CHECKOUT and not has_checkout(context.root):
            reason = f"is {retrain.state}, and runs where the git checkout is: `mlops loop --once` there continues it"
            return LoopDecision(f"retrain {retrain.seq}", "none", reason)
        return decision_of(run_retrain(context, retrain))
    except MlopsError as error:
        return LoopDecision(f"retrain {retrain.seq}", "none", str(error), error=type(error).__name__)


def _delete_old_branches(context: LoopContext) -> Iterator[LoopDecision]:
    """Delete the branches of candidates that were dropped 30 days ago."""
    before = context.now - _BRANCH_DAYS * DAY_US
    with context.state.reading() as connection:
        retrains = [retrain for retrain in store.read_retrains(connection, context.model) if retrain.branch is not None]
        trials = {trial.seq: trial for trial in store.read_trials(connection, context.model)}
    for retrain in retrains:
        trial = None if retrain.trial is None else trials.get(retrain.trial)
        is_lost = trial is not None and trial.state in _LOST_TRIALS and (trial.decided_at or context.now) < before
        is_discarded = retrain.state in ("discarded", "failed") and retrain.changed_at < before
        if (is_lost or is_discarded) and delete_branch(context.root, str(retrain.branch), commit=retrain.commit_sha):
            reason = f"branch {retrain.branch} was deleted: its candidate was dropped {_BRANCH_DAYS} days ago"
            yield LoopDecision(f"retrain {retrain.seq}", "delete branch", reason)
