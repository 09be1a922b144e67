"""Conditions about trials: a challenger won, lost or stayed undecided, or had to be stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.alerts.condition_table import ConditionResult, condition

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.alerts.rule_inputs import RuleInputs
    from pipeline.state import Trial

__all__ = ["describe_trials"]

_RECENT_US = 24 * 3_600_000_000  # the end of a trial is reported for a day


@condition("trial_won", "mlops trial list --all")
def _trial_won(inputs: RuleInputs, _threshold: float) -> ConditionResult:
    return describe_trials(inputs, _won, "no challenger won in the last day")


@condition("trial_lost", "mlops trial list --all")
def _trial_lost(inputs: RuleInputs, _threshold: float) -> ConditionResult:
    return describe_trials(inputs, _lost, "no challenger lost in the last day")


@condition("trial_stopped", "mlops trial list --all")
def _trial_stopped(inputs: RuleInputs, _threshold: float) -> ConditionResult:
    return describe_trials(inputs, _stopped, "no challenger was stopped in the last day")


def describe_trials(inputs: RuleInputs, describe: Callable[[Trial], str], otherwise: str) -> ConditionResult:
    """Return the findings about open trials and those decided in the last day, the newest trial first.

    The command is about a trial that waits for a person, where one does.
    """
    ended = (trial for trial in inputs.loop.decided_trials if _is_recent(trial, inputs.evaluated_at))
    findings = [(trial, finding) for trial in (*inputs.loop.open_trials, *ended) if (finding := describe(trial))]
    if not findings:
        return ConditionResult(is_firing=False, summary=otherwise)
    findings.sort(key=lambda pair: -pair[0].seq)
    trial = next((trial for trial, _ in findings if trial.proposal), findings[0][0])
    summary = "; ".join(finding for _, finding in findings)
    command = f"mlops trial {'approve' if trial.proposal else 'show'} {trial.seq}"
    return ConditionResult(is_firing=True, summary=summary, value=len(findings), next_command=command)


def _is_recent(trial: Trial, now: int) -> bool:
    return trial.decided_at is not None and now - trial.decided_at <= _RECENT_US


def _won(trial: Trial) -> str:
    if trial.purpose == "watch":
        return ""
    if trial.state == "won":
        return f"trial {trial.seq}: version {trial.challenger} replaced version {trial.champion}"
    if trial.proposal == "canary":
        return f"trial {trial.seq}: version {trial.challenger} won; its canary waits for a person"
    return (
        f"trial {trial.seq}: the promotion of version {trial.challenger} waits for a person" if trial.proposal else ""
    )


def _lost(trial: Trial) -> str:
    if trial.purpose == "promotion" and trial.state in ("lost", "undecided"):
        result = "lost against" if trial.state == "lost" else "is undecided against"
        return f"trial {trial.seq}: version {trial.challenger} {result} version {trial.champion}, which stays"
    return ""


def _stopped(trial: Trial) -> str:
    if trial.state == "harmful":
        return f"trial {trial.seq}: version {trial.challenger} was stopped while it had requests"
    if trial.purpose == "watch" and trial.state == "won":
        return (
            f"trial {trial.seq}: version {trial.champion} is worse; version {trial.challenger} is in Production again"
        )
    if trial.purpose == "watch" and trial.proposal:
        return f"trial {trial.seq}: version {trial.champion} is worse; the rollback waits for a person"
    return ""
