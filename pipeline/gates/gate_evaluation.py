"""Evaluate every gate of a candidate, against the champion on the same rows."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pipeline.gates.compatibility import compare_schemas
from pipeline.gates.gate_report import Gate, GateReport
from pipeline.gates.worst_slice import worst_slice
from pipeline.metrics import METRICS, LabeledPredictions, compare_paired, expected_metric_if_calibrated, get_metric
from pipeline.modeling.classifier import encode_target
from pipeline.modeling.scored_rows import make_scored_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd

    from pipeline.config.groups.promotion_config import PromotionConfig
    from pipeline.metrics import MetricEstimate
    from pipeline.package import Package

__all__ = ["GateInputs", "evaluate_gates"]

_N_WARM_UP_ROWS, _N_TIMED_ROWS = 5, 51
_N_CHANCE_RESAMPLES = 100


@dataclass(frozen=True, slots=True)
class GateInputs:
    """The test rows with the target, and the reports of the stages evaluate and validate."""

    test: pd.DataFrame
    evaluation: Mapping[str, Any]
    validation: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _GateContext:
    """The inputs of all gates; each package is scored once."""

    candidate: Package
    champion: Package | None
    inputs: GateInputs
    config: PromotionConfig
    seed: int
    _scored: dict[str, LabeledPredictions] = field(default_factory=dict)

    @property
    def test(self) -> pd.DataFrame:
        return self.inputs.test

    def scored(self, package: Package) -> LabeledPredictions:
        """Return the test rows scored by a package; the scores are cached by its digest."""
        if package.digest not in self._scored:
            target, threshold = self.candidate.schema.target, package.threshold
            probabilities = package.predict_proba(self.test)
            codes = encode_target(self.test, target)
            self._scored[package.digest] = make_scored_rows(target, codes, probabilities, threshold=threshold)
        return self._scored[package.digest]


def evaluate_gates(
    candidate: Package, inputs: GateInputs, config: PromotionConfig, *, champion: Package | None = None, seed: int
) -> GateReport:
    """Evaluate every gate of a candidate.

    Parameters
    ----------
    candidate : Package
    inputs : GateInputs
        The champion is scored on these test rows; none of its earlier metrics is used.
    config : PromotionConfig
    champion : Package, optional
        The Production version; None when there is none.
    seed : int
        Seed of the resamples.

    Raises
    ------
    DataError
        When the rows do not match the candidate's schema.
    UnknownOption
        When a setting names an unknown metric.
    """
    get_metric(config.metric, setting="promotion.metric")
    get_metric(config.slices.metric, setting="promotion.slices.metric")
    for name in config.metric_limits:
        get_metric(name, setting="promotion.metric_limits")
    context = _GateContext(candidate=candidate, champion=champion, inputs=inputs, config=config, seed=seed)
    gates = [gate for evaluate_gate in _GATES for gate in evaluate_gate(context)]
    gates += [
        replace(gate, depends_on="champion") for evaluate_gate in _AGAINST_CHAMPION for gate in evaluate_gate(context)
    ]
    return GateReport(candidate.digest, None if champion is None else champion.digest, tuple(gates))


def _validation_gate(context: _GateContext) -> list[Gate]:
    """No validation error in the train rows."""
    level = str(context.inputs.validation["level"])
    reason = f"the validation level is {level}"
    return [Gate("validation", "fail" if level in ("error", "critical") else "pass", reason)]


def _leakage_gate(context: _GateContext) -> list[Gate]:
    """No feature reveals the label."""
    columns = sorted({str(column) for column in context.inputs.validation["leakage"]})
    reason = f"{', '.join(columns)} reveals the label" if columns else "no feature reveals the label"
    return [Gate("leakage", "fail" if columns else "pass", reason)]


def _metric_threshold_gates(context: _GateContext) -> list[Gate]:
    """No test metric misses its limit with its whole confidence interval."""
    return [
        _metric_threshold_gate(
            name, threshold, context.inputs.evaluation["metrics"].get(name), chance_level=_chance_level(context, name)
        )
        for name, threshold in sorted(context.config.metric_limits.items())
    ]


def _chance_level(context: _GateContext, name: str) -> float:
    """Return the value that chance alone gives a perfectly calibrated model on these rows."""
    if not METRICS[name].has_chance_level:
        return 0.0
    return expected_metric_if_calibrated(
        context.scored(context.candidate), name, n_resamples=_N_CHANCE_RESAMPLES, seed=context.seed
    )


def _metric_threshold_gate(
    name: str, threshold: float, estimate: Mapping[str, Any] | None, *, chance_level: float
) -> Gate:
    metric = METRICS[name]
    if estimate is None or estimate["value"] is None:
        return Gate(f"limit {name}", "fail", "not evaluated; add it to evaluation.metrics", threshold=threshold)
    better_end = estimate["high" if metric.higher_is_better else "low"]
    value = estimate["value"] if better_end is None else better_end
    misses = value < threshold if metric.higher_is_better else value > threshold + chance_level
    by_chance = f"; {chance_level:.4g} is the chance level on these rows" if chance_level else ""
    reason = f"{estimate['value']:.4g}, and {value:.4g} at the better end of its interval{by_chance}"
    side: Literal["above", "below"] = "below" if metric.higher_is_better else "above"
    return Gate(
        name=f"limit {name}",
        result="fail" if misses else "pass",
        reason=reason,
        value=estimate["value"],
        threshold=threshold + chance_level,
        fails_when=side,
        unit=metric.unit,
    )


def _baseline_gates(context: _GateContext) -> list[Gate]:
    """Better than each baseline: the interval of the difference lies on the better side of 0."""
    name, gates = context.config.metric, []
    for baseline in context.config.baselines:
        difference = context.inputs.evaluation["baselines"][baseline]["difference"].get(name)
        gates.append(_baseline_gate(f"better than {baseline}", name, difference))
    return gates


def _baseline_gate(gate: str, name: str, estimate: Mapping[str, Any] | None) -> Gate:
    metric = METRICS[name]
    if estimate is None or estimate["low"] is None:
        return Gate(gate, "fail", f"{name} was not evaluated; add it to evaluation.metrics")
    worse_end = estimate["low"] if metric.higher_is_better else estimate["high"]
    is_better = worse_end > 0 if metric.higher_is_better else worse_end < 0
    reason = f"{name} differs by {estimate['value']:+.4g}, from {estimate['low']:+.4g} to {estimate['high']:+.4g}"
    side: Literal["above", "below"] = "below" if metric.higher_is_better else "above"
    return Gate(
        name=gate,
        result="pass" if is_better else "fail",
        reason=reason,
        value=worse_end,
        threshold=0.0,
        fails_when=side,
        unit=metric.unit,
    )


def _champion_gate(context: _GateContext) -> list[Gate]:
    """Superior or non-inferior to the champion by the paired bootstrap on the same rows."""
    if context.champion is None:
        return [Gate("champion", "pass", "no version is in Production yet")]
    if context.champion.digest == context.candidate.digest:
        return [Gate("champion", "hold", "the candidate is the champion")]
    missing = [name for name in context.champion.schema.feature_names if name not in context.test]
    if missing or context.champion.classes != context.candidate.classes:
        return [Gate("champion", "hold", "the champion cannot be scored on these rows: features or classes differ")]
    config, name = context.config, context.config.metric
    sampling: dict[str, Any] = {
        "confidence_level": config.confidence_level,
        "n_resamples": config.bootstrap_samples,
        "seed": context.seed,
    }
    candidate, champion = context.scored(context.candidate), context.scored(context.champion)
    return [_champion_test_gate(compare_paired(candidate, champion, [name], **sampling)[name], config)]


def _champion_test_gate(estimate: MetricEstimate, config: PromotionConfig) -> Gate:
    metric = METRICS[config.metric]
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return Gate("champion", "hold", f"{config.metric} is not defined on these rows")
    sign = -1.0 if metric.higher_is_better else 1.0
    worst, best = max(sign * estimate.low, sign * estimate.high), min(sign * estimate.low, sign * estimate.high)
    margin = config.margin if config.test == "non_inferiority" else 0.0
    result: Literal["pass", "hold", "fail"] = "pass" if worst < margin else "fail" if best > margin else "hold"
    finding = {
        "pass": "superior" if config.test == "superiority" else "not inferior",
        "hold": "inconclusive on these rows",
        "fail": "inferior",
    }[result]
    reason = (
        f"{finding}: {config.metric} differs by {estimate.value:+.4g}, from {estimate.low:+.4g} to {estimate.high:+.4g}"
    )
    side: Literal["above", "below"] = "below" if metric.higher_is_better else "above"
    return Gate(
        name="champion",
        result=result,
        reason=reason,
        value=sign * worst,
        threshold=sign * margin,
        fails_when=side,
        unit=metric.unit,
    )


def _slice_gate(context: _GateContext) -> list[Gate]:
    """No slice of the rows worsens by more than allowed against the champion."""
    if context.champion is None or context.champion.classes != context.candidate.classes:
        return [Gate("slices", "pass", "there is no champion to compare with")]
    if any(name not in context.test for name in context.champion.schema.feature_names):
        return [Gate("slices", "hold", "the champion cannot be scored on these rows")]
    worst = worst_slice(
        context.scored(context.candidate),
        context.scored(context.champion),
        context.test,
        package=context.candidate,
        config=context.config,
        seed=context.seed,
    )
    metric = METRICS[context.config.slices.metric]
    if worst is None:
        return [Gate("slices", "pass", "no slice has enough rows")]
    threshold = context.config.slices.max_worsening
    fails = worst.lower_bound is not None and worst.lower_bound > threshold
    beyond = "" if worst.lower_bound is None else f", at least by {worst.lower_bound:.4g}"
    reason = f"{worst.name}: {metric.name} worsens by {worst.worsening:.4g}{beyond}"
    value = worst.worsening if worst.lower_bound is None else worst.lower_bound
    return [
        Gate(
            name="slices",
            result="fail" if fails else "pass",
            reason=reason,
            value=value,
            threshold=threshold,
            fails_when="above",
            unit=metric.unit,
        )
    ]


def _serving_form_gates(context: _GateContext) -> list[Gate]:
    """ONNX where it is required, package size, and latency of one row."""
    proof = context.candidate.manifest.onnx
    missing = not proof.used and context.config.require_onnx
    reason = f"agrees on {proof.rows:,} rows" if proof.used else f"served by scikit-learn: {proof.reason}"
    size = sum(entry.size for entry in context.candidate.manifest.files.values()) / 1e6
    threshold = context.config.max_size_mb
    return [
        Gate("onnx", "fail" if missing else "pass", reason),
        Gate(
            name="size",
            result="fail" if size > threshold else "pass",
            reason="all files of the package",
            value=round(size, 3),
            threshold=threshold,
            fails_when="above",
            unit="MB",
        ),
        _latency_gate(context),
    ]


def _latency_gate(context: _GateContext) -> Gate:
    first = context.test[list(context.candidate.schema.feature_names)].head(1).astype(object)
    row = {str(name): values.where(values.notna(), None).tolist() for name, values in first.items()}
    durations_s = []
    for _ in range(_N_WARM_UP_ROWS + _N_TIMED_ROWS):
        started = time.perf_counter()
        context.candidate.predict_proba(row)
        durations_s.append(time.perf_counter() - started)
    value, threshold = float(np.median(durations_s[_N_WARM_UP_ROWS:])) * 1e3, context.config.max_latency_ms
    reason = f"median of {_N_TIMED_ROWS} single rows"
    return Gate(
        name="latency",
        result="fail" if value > threshold else "pass",
        reason=reason,
        value=value,
        threshold=threshold,
        fails_when="above",
        unit="ms",
        depends_on="machine",
    )


def _schema_gate(context: _GateContext) -> list[Gate]:
    """Rows of the champion's schema stay accepted."""
    if context.champion is None:
        return [Gate("schema", "pass", "no version is in Production yet")]
    changes = compare_schemas(context.champion.schema, context.candidate.schema)
    breaking = [change for change in changes if change.is_breaking]
    fails = bool(breaking) and not context.config.allow_schema_break
    reason = "; ".join(map(str, breaking or changes)) or "equal to the schema of the champion"
    return [Gate("schema", "fail" if fails else "pass", reason)]


_GATES: tuple[Callable[[_GateContext], list[Gate]], ...] = (
    _validation_gate,
    _leakage_gate,
    _metric_threshold_gates,
    _baseline_gates,
    _serving_form_gates,
)
_AGAINST_CHAMPION: tuple[Callable[[_GateContext], list[Gate]], ...] = (_champion_gate, _slice_gate, _schema_gate)
