"""Evaluate every gate of a candidate, against the champion on the same rows."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pipeline.errors import ConfigError
from pipeline.gates.baseline_gate import baseline_gate, describe_difference
from pipeline.gates.compatibility import compare_schemas
from pipeline.gates.fairness_gate import fairness_gates
from pipeline.gates.gate_report import ComparedRows, Gate, GateReport
from pipeline.gates.metric_limits import describe_unevaluated, metric_limit_gate
from pipeline.gates.worst_slice import worst_slice
from pipeline.metrics import (
    METRICS,
    LabeledPredictions,
    MetricEstimate,
    compare_paired,
    comparison_verdict,
    get_metric,
)
from pipeline.modeling.classifier import encode_target
from pipeline.modeling.scored_rows import make_scored_rows
from pipeline.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.config.groups.promotion_config import PromotionConfig
    from pipeline.package import Package

__all__ = ["GateInputs", "check_promotion", "evaluate_gates"]

_N_WARM_UP_ROWS, _N_TIMED_ROWS = 5, 51
_MIN_COMPARED_ROWS = 30


@dataclass(frozen=True, slots=True)
class GateInputs:
    """The test rows with the target, and the reports of the stages evaluate and validate."""

    test: pd.DataFrame
    evaluation: Mapping[str, Any]
    validation: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _GateContext:
    """The inputs of all gates; each package is scored once.

    `compared_rows` are the test rows that the champion did not learn from; None where it cannot be scored on them.
    """

    candidate: Package
    champion: Package | None
    inputs: GateInputs
    config: PromotionConfig
    compared_rows: NDArray[np.intp] | None = None
    _scored: dict[str, LabeledPredictions] = field(default_factory=dict)

    @property
    def test(self) -> pd.DataFrame:
        return self.inputs.test

    def scored(self, package: Package) -> LabeledPredictions:
        """Return the test rows scored by a package; the scores are cached by its digest."""
        if package.digest not in self._scored:
            target, threshold = self.candidate.schema.target, package.row_thresholds(self.test)
            probabilities = package.predict_proba(self.test)
            codes = encode_target(self.test, target)
            self._scored[package.digest] = make_scored_rows(target, codes, probabilities, threshold=threshold)
        return self._scored[package.digest]

    def compared(self, package: Package) -> LabeledPredictions:
        """Return the compared rows scored by a package."""
        rows = np.arange(0) if self.compared_rows is None else self.compared_rows
        return self.scored(package).take(rows)


def evaluate_gates(
    candidate: Package, inputs: GateInputs, config: PromotionConfig, *, champion: Package | None = None
) -> GateReport:
    """Evaluate every gate of a candidate.

    Parameters
    ----------
    candidate : Package
    inputs : GateInputs
        The champion is scored on these test rows; none of its earlier metrics is used. Rows that it learned from
        leave the comparison.
    config : PromotionConfig
    champion : Package, optional
        The Production version; None when there is none.

    Raises
    ------
    DataError
        When the rows do not match the candidate's schema.
    UnknownOption
        When a setting names an unknown metric.
    """
    _check_metric_names(config)
    rows = None if champion is None else _rows_unknown_to(champion, candidate, inputs.test)
    context = _GateContext(candidate=candidate, champion=champion, inputs=inputs, config=config, compared_rows=rows)
    gates = [gate for evaluate_gate in _GATES for gate in evaluate_gate(context)]
    gates += [
        replace(gate, depends_on="champion") for evaluate_gate in _AGAINST_CHAMPION for gate in evaluate_gate(context)
    ]
    compared = None if rows is None else ComparedRows(len(rows), len(inputs.test) - len(rows))
    return GateReport(candidate.digest, None if champion is None else champion.digest, tuple(gates), compared)


def check_promotion(config: PromotionConfig, evaluated: Collection[str]) -> None:
    """Refuse an unknown metric, and one that a gate needs and `evaluated` lacks.

    Raises
    ------
    ConfigError
        Naming the setting.
    """
    _check_metric_names(config)
    needed = {f"promotion.metric_limits.{name}": name for name in config.metric_limits}
    if _required_of_baselines(config):
        needed["promotion.metric"] = config.metric
    for key, name in needed.items():
        if name not in evaluated:
            raise ConfigError(f"{key}: {describe_unevaluated(name)}")


def _check_metric_names(config: PromotionConfig) -> None:
    for key, name in (("promotion.metric", config.metric), ("promotion.slices.metric", config.slices.metric)):
        if not get_metric(name, setting=key).has_paired_interval:
            raise ConfigError(f"{key}: two models cannot be compared by {name}, because its difference has no interval")
    for name in config.metric_limits:
        get_metric(name, setting="promotion.metric_limits")


def _rows_unknown_to(champion: Package, candidate: Package, test: pd.DataFrame) -> NDArray[np.intp] | None:
    """Return the test rows that the champion did not learn from; None where they need not or cannot be compared."""
    if champion.digest == candidate.digest or champion.classes != candidate.classes or champion.train_rows is None:
        return None
    if any(name not in test for name in champion.schema.feature_names):
        return None
    return np.flatnonzero(~champion.train_rows.may_contain(test, champion.schema))


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
        metric_limit_gate(name, threshold, context.inputs.evaluation["metrics"].get(name))
        for name, threshold in sorted(context.config.metric_limits.items())
    ]


def _required_of_baselines(config: PromotionConfig) -> dict[str, str]:
    """Return what the candidate must show against each baseline that has a gate."""
    return {name: required for name, required in config.baselines if required is not None}


def _baseline_gates(context: _GateContext) -> list[Gate]:
    """Better than each baseline on the same rows: by the paired interval, or by the estimate alone."""
    return [
        baseline_gate(
            baseline,
            context.inputs.evaluation["baselines"][baseline]["difference"],
            metric=METRICS[context.config.metric],
            required=required,
        )
        for baseline, required in _required_of_baselines(context.config).items()
    ]


def _champion_gate(context: _GateContext) -> list[Gate]:
    """Superior or non-inferior to the champion by the paired difference on the same rows."""
    if context.champion is None:
        return [Gate("champion", "pass", "no version is in Production yet")]
    if context.champion.digest == context.candidate.digest:
        return [Gate("champion", "hold", "the candidate is the champion")]
    if context.compared_rows is None:
        return [Gate("champion", "hold", "the champion cannot be scored on these rows: features or classes differ")]
    if len(context.compared_rows) < _MIN_COMPARED_ROWS:
        return [Gate("champion", "hold", _too_few_rows_reason(context))]
    config, name = context.config, context.config.metric
    candidate, champion = context.compared(context.candidate), context.compared(context.champion)
    differences = compare_paired(candidate, champion, [name], confidence_level=config.confidence_level)
    return [_champion_test_gate(differences[name], config)]


def _too_few_rows_reason(context: _GateContext) -> str:
    n_rows = 0 if context.compared_rows is None else len(context.compared_rows)
    return (
        f"{n_rows} of {pluralize(len(context.test), 'test row')} are new to the champion, fewer than"
        f" {_MIN_COMPARED_ROWS}; add rows, or override the gate with a reason"
    )


def _champion_test_gate(estimate: MetricEstimate, config: PromotionConfig) -> Gate:
    metric = METRICS[config.metric]
    if estimate.value is None:
        return Gate("champion", "hold", f"{config.metric} is not defined on these rows")
    if estimate.low is None or estimate.high is None:
        return Gate("champion", "hold", f"{config.metric} differs by {estimate.value:+.4g}: {estimate.reason}")
    margin = config.margin if config.test == "non_inferiority" else 0.0
    verdict = comparison_verdict(estimate, higher_is_better=metric.higher_is_better, margin=margin)
    result: Literal["pass", "hold", "fail"] = (
        "pass" if verdict == "better" else "fail" if verdict == "worse" else "hold"
    )
    finding = {
        "pass": "superior" if config.test == "superiority" else "not inferior",
        "hold": verdict,
        "fail": "inferior",
    }[result]
    side: Literal["above", "below"] = "below" if metric.higher_is_better else "above"
    return Gate(
        name="champion",
        result=result,
        reason=f"{finding}: {describe_difference(config.metric, estimate)}",
        value=estimate.low if metric.higher_is_better else estimate.high,
        threshold=-margin if metric.higher_is_better else margin,
        fails_when=side,
        unit=metric.unit,
    )


def _slice_gate(context: _GateContext) -> list[Gate]:
    """No slice of the rows worsens by more than allowed against the champion."""
    if context.champion is None or context.champion.classes != context.candidate.classes:
        return [Gate("slices", "pass", "there is no champion to compare with")]
    if context.champion.digest == context.candidate.digest:
        return [Gate("slices", "pass", "the candidate is the champion")]
    if context.compared_rows is None:
        return [Gate("slices", "hold", "the champion cannot be scored on these rows")]
    if len(context.compared_rows) < _MIN_COMPARED_ROWS:
        return [Gate("slices", "hold", _too_few_rows_reason(context))]
    worst = worst_slice(
        context.compared(context.candidate),
        context.compared(context.champion),
        context.test.iloc[context.compared_rows],
        package=context.candidate,
        config=context.config,
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


def _fairness_gates(context: _GateContext) -> list[Gate]:
    """No group of a protected column fails, and a mitigation stays within its budget."""
    return fairness_gates(context.inputs.evaluation.get("fairness"), metric=context.config.metric)


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
    _fairness_gates,
    _serving_form_gates,
)
_AGAINST_CHAMPION: tuple[Callable[[_GateContext], list[Gate]], ...] = (_champion_gate, _slice_gate, _schema_gate)
