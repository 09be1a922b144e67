"""Plan the next step of a trial from its verdict and its traffic: wait, canary, promote, roll back, or end it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pipeline.config.groups.lifecycle_config import CanaryConfig
from pipeline.state import HOUR_US
from pipeline.text import format_duration, percent, pluralize

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.state import Trial, TrialState
    from pipeline.trials.trial_verdict import TrialVerdict

__all__ = ["PlannedStep", "TrialTraffic", "plan_step", "plan_stop", "step_after_win"]


@dataclass(frozen=True, slots=True)
class TrialTraffic:
    """The traffic of a trial.

    Attributes
    ----------
    n_predictions : int
        Predictions of the challenger since the present step began.
    stop_reason : str or None
        Why the challenger must get no more requests; None while nothing stands against it.
    person_stop : str or None
        Why a person stopped its requests.
    refusal : str or None
        Why a server has not served the challenger for too long; None while all do.
    busy_trial : int or None
        Another trial that takes traffic.
    """

    n_predictions: int = 0
    stop_reason: str | None = None
    person_stop: str | None = None
    refusal: str | None = None
    busy_trial: int | None = None


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """The next step of a trial, and why.

    Attributes
    ----------
    action : "wait", "canary", "promote", "roll back" or "end"
    reason : str
        One sentence for people.
    step, share : int and float
        The step of the canary and its share of the requests, for `canary`.
    end : TrialState or None
        The last state, for `end`.
    """

    action: Literal["wait", "canary", "promote", "roll back", "end"]
    reason: str
    step: int = 0
    share: float = 0.0
    end: TrialState | None = None

    @property
    def needs_approval(self) -> bool:
        """Whether it gives the challenger its first requests or changes Production."""
        return self.action in ("promote", "roll back") or (self.action == "canary" and self.step == 1)


def plan_step(trial: Trial, verdict: TrialVerdict, traffic: TrialTraffic, *, now: int) -> PlannedStep:
    """Return the next step of an open trial.

    Parameters
    ----------
    trial : Trial
    verdict : TrialVerdict
    traffic : TrialTraffic
    now : int
        In microseconds since 1970, UTC.
    """
    if trial.state == "canary":
        return _plan_canary(trial, verdict, traffic, now=now)
    if trial.state == "split":
        return _plan_split(verdict, traffic)
    if verdict.verdict == "open":
        return PlannedStep("wait", verdict.summary)
    if verdict.verdict == "won":
        return step_after_win(trial, verdict.summary, busy_trial=traffic.busy_trial)
    return PlannedStep("end", verdict.summary, end=verdict.verdict)


def step_after_win(trial: Trial, reason: str, *, busy_trial: int | None = None) -> PlannedStep:
    """Return the step after the comparison is won: rollback for a watch, the first canary step, or promotion."""
    if trial.purpose == "watch":
        return PlannedStep("roll back", reason)
    steps = CanaryConfig.model_validate(trial.settings["canary"]).steps
    if not steps:
        return PlannedStep("promote", reason)
    if busy_trial is not None:
        return PlannedStep("wait", f"{reason}; trial {busy_trial} takes traffic, and one at a time does")
    return PlannedStep("canary", reason, step=1, share=steps[0].share)


def _plan_split(verdict: TrialVerdict, traffic: TrialTraffic) -> PlannedStep:
    """Return the next step of a challenger that has had its share of the requests from the start."""
    for end in _canary_ends(verdict, traffic):
        return end
    return PlannedStep("promote" if verdict.verdict == "won" else "wait", verdict.summary)


def _plan_canary(trial: Trial, verdict: TrialVerdict, traffic: TrialTraffic, *, now: int) -> PlannedStep:
    for end in _canary_ends(verdict, traffic):
        return end
    config = CanaryConfig.model_validate(trial.settings["canary"])
    step, duration = config.steps[trial.step - 1], now - trial.step_at
    served = f"{pluralize(traffic.n_predictions, 'prediction')} in {format_duration(duration)}"
    name = f"step {trial.step} of {len(config.steps)} ({percent(step.share)} of requests)"
    has_too_few = traffic.n_predictions < step.min_predictions
    if has_too_few and duration >= config.pause_after_hours * HOUR_US:
        return PlannedStep("wait", f"{name} is paused: {served}, expected {step.min_predictions:,}; send more requests")
    if has_too_few or duration < step.min_hours * HOUR_US:
        needed = f"{step.min_predictions:,} predictions and {step.min_hours:g} h"
        return PlannedStep("wait", f"{name}: {served}; it needs {needed}")
    if trial.step == len(config.steps):
        return PlannedStep("promote", f"{name} is complete: {served}; {verdict.summary}")
    following = config.steps[trial.step]
    return PlannedStep("canary", f"{name} is complete: {served}", step=trial.step + 1, share=following.share)


def plan_stop(traffic: TrialTraffic) -> PlannedStep | None:
    """Return the end of a trial whose servers, or a person, stopped its traffic; None while they serve it."""
    ends: tuple[tuple[str | None, TrialState], ...] = (
        (traffic.person_stop, "aborted"),
        (traffic.stop_reason, "harmful"),
        (traffic.refusal, "aborted"),
    )
    return next((PlannedStep("end", reason, end=end) for reason, end in ends if reason is not None), None)


def _canary_ends(verdict: TrialVerdict, traffic: TrialTraffic) -> Iterator[PlannedStep]:
    """Yield the reasons to end a trial with traffic; the first one counts."""
    if (stop := plan_stop(traffic)) is not None:
        yield stop
    if verdict.verdict == "lost":
        yield PlannedStep("end", verdict.summary, end="harmful")
    if verdict.verdict == "undecided":
        yield PlannedStep("end", verdict.summary, end="undecided")
