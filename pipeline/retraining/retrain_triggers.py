"""Decide whether a model shall be trained again now, with the reason and the moment of the next look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.state import DAY_US, HOUR_US
from pipeline.text import pluralize, timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.config.groups.lifecycle_config import LifecycleConfig
    from pipeline.state import Retrain

__all__ = ["RetrainInputs", "TriggerVerdict", "cooldown_us", "evaluate_triggers"]

_MAX_COOLDOWN_US = 30 * DAY_US


@dataclass(frozen=True, slots=True)
class RetrainInputs:
    """What the triggers see; moments are in microseconds since 1970, UTC.

    Attributes
    ----------
    now : int
    champion_at : int or None
        When the version in Production was registered; None when there is none.
    degraded : sequence of str
        Metrics that the last monitor run found significantly worse.
    drifted : sequence of str
        Columns that it found drifted.
    n_new_labels : int
        Predictions that got an outcome since the last snapshot.
    retrains : sequence of Retrain
        The earlier retrains of the model, the oldest first.
    """

    now: int
    champion_at: int | None
    degraded: Sequence[str]
    drifted: Sequence[str]
    n_new_labels: int
    retrains: Sequence[Retrain]


@dataclass(frozen=True, slots=True)
class TriggerVerdict:
    """The cause of a retrain, None where there shall be none now; `next_at` is when that may change by time alone."""

    cause: str | None
    reason: str
    next_at: int | None = None


def evaluate_triggers(inputs: RetrainInputs, settings: LifecycleConfig) -> TriggerVerdict:
    """Return whether a cause for a retrain exists and nothing defers it.

    Reasons against it come in this order: an open retrain, no cause, the pause, the number per day, too few labels.
    """
    open_retrain = next((retrain for retrain in inputs.retrains if retrain.is_open), None)
    if open_retrain is not None:
        return TriggerVerdict(None, f"retrain {open_retrain.seq} is open in state {open_retrain.state}")
    if inputs.champion_at is None:
        return TriggerVerdict(None, "no version is in Production, so there is nothing to compare a candidate with")
    causes = dict(_iter_causes(inputs, settings))
    if not causes:
        days = settings.retrain.triggers.days
        due = None if days is None else _schedule_due(inputs, days)
        return TriggerVerdict(None, f"no declared trigger fired: {_quiet_triggers(inputs, settings)}", due)
    cause, finding = next(iter(causes.items()))
    return _deferral(inputs, settings, finding) or TriggerVerdict(cause, finding)


def cooldown_us(retrains: Sequence[Retrain], cooldown_hours: float) -> int:
    """Return the pause after the last retrain in microseconds: doubled by each refusal in a row, at most 30 days."""
    n_refused = 0
    for retrain in reversed(retrains):
        if retrain.state != "refused":
            break
        n_refused += 1
    return min(round(cooldown_hours * HOUR_US) << min(n_refused, 32), _MAX_COOLDOWN_US)


def _iter_causes(inputs: RetrainInputs, settings: LifecycleConfig) -> Iterator[tuple[str, str]]:
    triggers = settings.retrain.triggers
    if triggers.degradation and inputs.degraded:
        yield "degradation", f"{', '.join(inputs.degraded)} became significantly worse"
    if triggers.drift and inputs.drifted:
        yield "drift", f"{', '.join(inputs.drifted)} drifted"
    if triggers.new_labels is not None and inputs.n_new_labels >= triggers.new_labels:
        yield "new labels", f"{pluralize(inputs.n_new_labels, 'label')} arrived since the last snapshot"
    if triggers.days is not None and inputs.now >= _schedule_due(inputs, triggers.days):
        yield "schedule", f"the last retrain is {triggers.days:g} days old"


def _schedule_due(inputs: RetrainInputs, days: float) -> int:
    if inputs.retrains:
        started = inputs.retrains[-1].asked_at
    else:
        started = inputs.now if inputs.champion_at is None else inputs.champion_at
    return started + round(days * DAY_US)


def _quiet_triggers(inputs: RetrainInputs, settings: LifecycleConfig) -> str:
    triggers = settings.retrain.triggers
    quiet = []
    if triggers.degradation:
        quiet.append("no metric became significantly worse")
    if triggers.drift:
        quiet.append("no column drifted")
    if triggers.new_labels is not None:
        quiet.append(f"{inputs.n_new_labels:,} of {pluralize(triggers.new_labels, 'label')} arrived")
    if triggers.days is not None:
        quiet.append(f"the schedule is due at {timestamp(_schedule_due(inputs, triggers.days))}")
    return "; ".join(quiet) or "lifecycle.retrain.triggers turns all of them off"


def _deferral(inputs: RetrainInputs, settings: LifecycleConfig, finding: str) -> TriggerVerdict | None:
    """Return why a cause does not start a retrain now; None where nothing is against it."""
    if inputs.retrains:
        pause = cooldown_us(inputs.retrains, settings.retrain.cooldown_hours)
        over_at = inputs.retrains[-1].changed_at + pause
        if inputs.now < over_at:
            reason = f"{finding}; the pause of {pause / HOUR_US:g} h after retrain {inputs.retrains[-1].seq}"
            return TriggerVerdict(None, f"{reason} ends at {timestamp(over_at)}", over_at)
    today = [retrain for retrain in inputs.retrains if retrain.asked_at > inputs.now - DAY_US]
    if len(today) >= settings.max_retrains_per_day:
        next_at = today[0].asked_at + DAY_US if today else None
        limit = f"{finding}; lifecycle.max_retrains_per_day is {settings.max_retrains_per_day}"
        return TriggerVerdict(None, f"{limit}, and {len(today)} were asked for in 24 hours", next_at)
    if inputs.n_new_labels < settings.retrain.min_labels:
        needed = f"{inputs.n_new_labels:,} of at least {pluralize(settings.retrain.min_labels, 'label')} arrived"
        return TriggerVerdict(None, f"{finding}; {needed} since the last snapshot")
    return None
