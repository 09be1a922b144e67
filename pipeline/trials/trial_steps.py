"""Advance open trials: compare what is new, decide, and carry the step out or propose it to a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline import state as store
from pipeline.errors import Conflict, DataError, GateRefused, IntegrityError, MlopsError, UsageError
from pipeline.package.package_store import PackageStore
from pipeline.project import paths
from pipeline.serving.canary_facts import read_canary_facts
from pipeline.state import LOOP_ACTOR, LoopDecision
from pipeline.trials.trial_comparison import load_pair, read_comparison, update_comparison
from pipeline.trials.trial_decisions import StepWriter, current_verdict, production_change_after, require_decided
from pipeline.trials.trial_plan import PlannedStep, TrialTraffic, plan_step, plan_stop, step_after_win

if TYPE_CHECKING:
    from pipeline.config.groups.lifecycle_config import LifecycleConfig
    from pipeline.state import LoopContext, State, Trial, TrialState
    from pipeline.trials.trial_verdict import TrialVerdict

__all__ = ["advance_trials", "approve_trial", "is_stop_due"]

_REFUSAL_US = 60_000_000  # a server may take as long to load the challenger
_PERSON_PREFIX = "api "  # in the names of servers: a caller of the HTTP API stopped the trial


def advance_trials(context: LoopContext) -> list[LoopDecision]:
    """Advance each open trial of the model by at most one step, and return what was decided about each.

    In mode `advise`, the first canary step, a promotion and a rollback become proposals. A challenger that is worse or
    harmful is stopped in either mode.
    """
    with context.state.reading() as connection:
        trials = store.read_trials(connection, context.model, is_open=True)
    if not trials:
        return [LoopDecision("trials", "none", "no trial is open; `mlops trial start VERSION` opens one")]
    return [_advance_safely(context, trial) for trial in trials]


def _advance_safely(context: LoopContext, trial: Trial) -> LoopDecision:
    subject = f"trial {trial.seq}"
    if context.should_stop():
        return LoopDecision(subject, "none", "the run was ended before its turn")
    try:
        return _advance(context, trial)
    except MlopsError as error:
        return LoopDecision(subject, "none", str(error), error=type(error).__name__)


def _advance(context: LoopContext, trial: Trial) -> LoopDecision:
    packages = PackageStore(context.root / paths.PACKAGES)
    writer = StepWriter(context.state, packages, context.config.lifecycle, context.actor)
    with context.state.reading() as connection:
        require_decided(connection, trial)
        generation = store.current_deployment(connection, trial.model).generation
        change = production_change_after(connection, trial)
    if change is not None:
        reason = f"{change.actor} changed Production after the trial was opened ({change.action}); nothing is undone"
        by_person = "Conflict" if change.actor != LOOP_ACTOR else ""
        return _end_void(writer, trial, reason, generation=generation, error=by_person)
    try:
        load_pair(packages, trial)
    except IntegrityError as error:
        return _end_void(writer, trial, f"a package cannot be loaded: {error}", generation=generation)
    traffic, counts = _read_traffic(context.state, trial, now=context.now)
    try:
        step, verdict = _plan(context, packages, trial, traffic)
    except DataError as error:
        end: TrialState = "harmful" if trial.state in store.TRAFFIC_STATES else "lost"
        step = PlannedStep("end", f"a logged row cannot be scored: {error}", end=end)
        verdict = current_verdict(context.state, trial, read_comparison(context.state, trial))
    if step.action == "canary":
        counts["n_before_step"] = counts["n_predictions"]
    evidence = {"verdict": verdict.as_dict(), "traffic": counts}
    if step.action == "wait":
        return LoopDecision(f"trial {trial.seq}", "none", step.reason, evidence)
    needs_person = step.needs_approval and (
        not context.may_act or verdict.needs_person or (step.action == "roll back" and not writer.may_roll_back(trial))
    )
    if needs_person and trial.proposal == step.action:
        reason = f"{step.action} waits for a person: `mlops trial approve {trial.seq}`; {step.reason}"
        return LoopDecision(f"trial {trial.seq}", "none", reason, evidence)
    if needs_person:
        writer.propose(trial, step, evidence=evidence, expected_generation=generation)
    else:
        step = _carry_out(writer, trial, step, evidence=evidence, generation=generation)
    action = f"propose {step.action}" if needs_person else step.end or step.action
    return LoopDecision(f"trial {trial.seq}", action, step.reason, evidence)


def _carry_out(
    writer: StepWriter, trial: Trial, step: PlannedStep, *, evidence: dict[str, Any], generation: int
) -> PlannedStep:
    """Carry a step out and return it; a winner that its gates refuse loses its requests, which nothing else ends."""
    try:
        writer.write(trial, step, evidence=evidence, expected_generation=generation)
    except GateRefused as error:
        step = PlannedStep("end", f"won, and cannot be promoted: {error}", end="aborted")
        writer.write(trial, step, evidence=evidence, expected_generation=generation)
    return step


def _plan(
    context: LoopContext, packages: PackageStore, trial: Trial, traffic: TrialTraffic
) -> tuple[PlannedStep, TrialVerdict]:
    """Return the next step and the verdict; a stop needs no comparison, which a broken challenger could not give."""
    stop = plan_stop(traffic)
    if stop is not None:
        return stop, current_verdict(context.state, trial, read_comparison(context.state, trial))
    verdict = current_verdict(context.state, trial, update_comparison(context.state, packages, trial))
    return plan_step(trial, verdict, traffic, now=context.now), verdict


def _end_void(writer: StepWriter, trial: Trial, reason: str, *, generation: int, error: str = "") -> LoopDecision:
    step = PlannedStep("end", reason, end="void")
    writer.write(trial, step, evidence=trial.evidence, expected_generation=generation)
    return LoopDecision(f"trial {trial.seq}", "void", reason, error=error)


def _read_traffic(state: State, trial: Trial, *, now: int) -> tuple[TrialTraffic, dict[str, Any]]:
    """Return what the servers counted in the present step of a trial, and the counts so far as evidence."""
    with state.reading() as connection:
        busy = store.traffic_trial(connection, trial.model)
    if trial.state not in store.TRAFFIC_STATES:
        return TrialTraffic(busy_trial=None if busy is None else busy.seq), {"n_predictions": 0}
    facts = read_canary_facts(state, trial)
    by_person = [server.reason for server in facts.servers if server.server.startswith(_PERSON_PREFIX)]
    refused = facts.refused_since(now - _REFUSAL_US, seen_since=now - _REFUSAL_US)
    n_predictions = facts.challenger.n_predictions
    n_before_step = int(trial.evidence.get("traffic", {}).get("n_before_step", 0))
    traffic = TrialTraffic(
        n_predictions=n_predictions - n_before_step,
        stop_reason=facts.stop_reason,
        person_stop=by_person[0] if by_person else None,
        refusal=f"server {refused[0].server} does not serve the challenger: {refused[0].reason}" if refused else None,
    )
    return traffic, {**facts.as_dict(), "n_predictions": n_predictions, "n_before_step": n_before_step}


def is_stop_due(state: State, model: str, *, now: int) -> bool:
    """Whether servers stopped the challenger that takes traffic, or do not serve it: the next run ends its trial."""
    with state.reading() as connection:
        trial = store.traffic_trial(connection, model)
    if trial is None:
        return False
    facts = read_canary_facts(state, trial)
    return facts.stop_reason is not None or bool(facts.refused_since(now - _REFUSAL_US, seen_since=now - _REFUSAL_US))


def approve_trial(state: State, packages: PackageStore, config: LifecycleConfig, seq: int, *, actor: str) -> Trial:
    """Carry out the proposal of a trial in the name of a person.

    Raises
    ------
    Conflict
        When Production changed since the trial was opened, servers stopped the challenger, or another decision came
        first.
    GateRefused
        When the challenger did not pass its gates.
    IntegrityError
        When a package is missing or damaged, or the trial was changed by hand.
    UsageError
        When the trial does not exist or proposes nothing.
    """
    with state.reading() as connection:
        trial = store.find_trial(connection, seq)
        require_decided(connection, trial)
        generation = store.current_deployment(connection, trial.model).generation
        change = production_change_after(connection, trial)
    if trial.proposal is None or not trial.is_open:
        raise UsageError(
            f"trial {seq} is {trial.state} and proposes nothing; check `mlops trial show {seq}`, or promote by hand:"
            f" `mlops promote {trial.challenger}`"
        )
    if change is not None:
        raise Conflict(
            f"trial {seq}: {change.actor} changed Production after it was opened ({change.action});"
            f" start a new trial: `mlops trial start {trial.challenger}`"
        )
    load_pair(packages, trial)
    traffic, _ = _read_traffic(state, trial, now=state.clock())
    return StepWriter(state, packages, config, actor).write(
        trial, _approved_step(trial, traffic), evidence=trial.evidence, expected_generation=generation
    )


def _approved_step(trial: Trial, traffic: TrialTraffic) -> PlannedStep:
    if (stop := plan_stop(traffic)) is not None:
        raise Conflict(
            f"trial {trial.seq}: the challenger must not get requests ({stop.reason}); the next run of the loop ends"
            " the trial: `mlops loop --once`"
        )
    reason = f"approved: {trial.proposal}"
    if trial.proposal == "promote":
        return PlannedStep("promote", reason)
    step = step_after_win(trial, reason, busy_trial=traffic.busy_trial)
    if step.action == "wait":
        raise Conflict(f"trial {trial.seq}: {step.reason}; approve it afterwards, or stop that trial first")
    return step
