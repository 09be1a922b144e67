"""Summarize a change report: its benefits, its costs, and a verdict of a few words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.change_report.gate_verdicts import NOT_EVALUATED
from pipeline.metrics.metric_labels import metric_label
from pipeline.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.change_report.change_report import ChangeReport, MetricChange
    from pipeline.html_report import Level

__all__ = ["ChangeEffect", "change_effects", "change_verdict"]

_MIN_RELATIVE_COST = 0.05  # of size and latency
_MAX_NAMES = 3
_LABELS: Mapping[Level, str] = {"good": "benefit", "bad": "cost", "warn": "neutral", "neutral": "neutral"}


@dataclass(frozen=True, slots=True)
class ChangeEffect:
    """One benefit (`good`), cost (`bad`), or fact that is neither."""

    level: Level
    subject: str
    text: str

    @property
    def label(self) -> str:
        """`benefit`, `cost` or `neutral`."""
        return _LABELS[self.level]


def change_effects(change: ChangeReport) -> tuple[ChangeEffect, ...]:
    """Return what the change costs and what it brings, in the order in which a reviewer asks for it."""
    return tuple(
        effect
        for effects in (_metric_effects, _gate_effects, _slice_effects, _client_effects, _size_and_latency_effects)
        for effect in effects(change)
    )


def _metric_effects(change: ChangeReport) -> Iterator[ChangeEffect]:
    if change.is_same_model:
        yield ChangeEffect("neutral", "Metrics", "the model is identical" if not change.is_stale else "not yet run")
        return
    better = [metric for metric in change.metrics if metric.verdict == "better"]
    worse = [metric for metric in change.metrics if metric.verdict == "worse"]
    if better:
        yield ChangeEffect("good", "Better metrics", _metric_list(better))
    if worse:
        yield ChangeEffect("bad", "Worse metrics", _metric_list(worse))
    compared = [metric for metric in change.metrics if metric.verdict != "not compared"]
    if compared and not better and not worse:
        yield ChangeEffect("neutral", "Metrics", f"no significant difference in {pluralize(len(compared), 'metric')}")
    elif change.metrics and not compared:
        yield ChangeEffect("neutral", "Metrics", "not compared")


def _metric_list(metrics: list[MetricChange]) -> str:
    return ", ".join(
        metric_label(metric.name)
        if metric.before is None or metric.after is None or None in (metric.before.value, metric.after.value)
        else f"{metric_label(metric.name)} {metric.before.value:.4g} to {metric.after.value:.4g}"
        for metric in metrics
    )


def _gate_effects(change: ChangeReport) -> Iterator[ChangeEffect]:
    before, after = change.gate_verdicts
    if (before, after) == (NOT_EVALUATED, NOT_EVALUATED):
        return
    failed = [gate.name for gate in change.gates if gate.after == "fail"]
    text = after if before == after else f"{before} before, {after} after"
    level: Level = "bad" if after == "reject" else "good" if after == "promote" else "neutral"
    yield ChangeEffect(level, "Gates", f"{text}; failed: {', '.join(failed)}" if failed else text)


def _slice_effects(change: ChangeReport) -> Iterator[ChangeEffect]:
    names = [f"{slice_.column} = {slice_.value}" for slice_ in change.slices if slice_.verdict == "worse"]
    if names:
        more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
        yield ChangeEffect("bad", "Worse slices", f"{', '.join(names[:_MAX_NAMES])}{more}")
    elif change.slices:
        yield ChangeEffect("good", "Worse slices", "none significantly")


def _client_effects(change: ChangeReport) -> Iterator[ChangeEffect]:
    breaking = [str(feature) for feature in change.schema if feature.is_breaking]
    if breaking:
        yield ChangeEffect("bad", "Breaks clients", "; ".join(breaking))


def _size_and_latency_effects(change: ChangeReport) -> Iterator[ChangeEffect]:
    pairs = (("Package size", "MB", change.size_mb), ("Latency of one row", "ms", change.latency_ms))
    for subject, unit, pair in pairs:
        if pair is None or pair[0] is None or pair[1] is None or pair[0] == 0:
            continue
        ratio = pair[1] / pair[0] - 1
        level: Level = "neutral" if abs(ratio) < _MIN_RELATIVE_COST else "bad" if ratio > 0 else "good"
        yield ChangeEffect(level, subject, f"{pair[0]:.3g} to {pair[1]:.3g} {unit} ({ratio:+.0%})")


def change_verdict(change: ChangeReport) -> tuple[str, Level]:
    """Return the verdict in a few words, with its level."""
    metrics = {metric.verdict for metric in change.metrics}
    slices = {slice_.verdict for slice_ in change.slices}
    gates = change.gate_verdicts[1]
    is_worse, is_better = "worse" in metrics | slices, "better" in metrics
    verdicts: tuple[tuple[bool, str, Level], ...] = (
        (change.is_stale, "not yet run", "neutral"),
        (gates == "reject", "gates: reject", "bad"),
        (any(feature.is_breaking for feature in change.schema), "breaks clients", "bad"),
        (is_worse and is_better, "better and worse", "warn"),
        (is_worse, "worse", "bad"),
        (gates == "hold", "gates: hold", "warn"),
        (is_better, "better", "good"),
        (change.is_same_model is True, "same model", "neutral"),
        (change.is_same_model is False, "no significant difference", "neutral"),
        (True, "not compared", "neutral"),
    )
    return next((text, level) for applies, text, level in verdicts if applies)
