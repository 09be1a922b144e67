"""Run every gate on one candidate, against the champion on the same rows."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pipeline.classifier import class_codes
from pipeline.gates.compatibility import compare_schemas
from pipeline.gates.report import Gate, GateReport
from pipeline.gates.slices import worst_slice
from pipeline.metrics import METRICS, Scored, compare, expected_if_calibrated, metric_named
from pipeline.scoring import scored_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd

    from pipeline.config.groups.live import PromotionConfig
    from pipeline.metrics import Estimate
    from pipeline.package import Package

__all__ = ["Evidence", "judge"]

_WARM_UP, _TIMED = 5, 51
_FLOOR_DRAWS = 100


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a candidate is judged by: the frozen test rows with the target, and the reports of evaluate and validate."""

    test: pd.DataFrame
    evaluation: Mapping[str, Any]
    validation: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Case:
    """All that a gate may look at."""

    candidate: Package
    champion: Package | None
    evidence: Evidence
    config: PromotionConfig
    seed: int
    _scored: dict[str, Scored] = field(default_factory=dict)

    @property
    def test(self) -> pd.DataFrame:
        return self.evidence.test

    def scored(self, package: Package) -> Scored:
        """Return the test rows scored by a package, each package once."""
        if package.digest not in self._scored:
            target, threshold = self.candidate.schema.target, package.threshold
            probabilities = package.predict_proba(self.test)
            codes = class_codes(self.test, target)
            self._scored[package.digest] = scored_rows(target, codes, probabilities, threshold=threshold)
        return self._scored[package.digest]


def judge(
    candidate: Package, evidence: Evidence, config: PromotionConfig, *, champion: Package | None = None, seed: int
) -> GateReport:
    """Return what every gate says of a candidate.

    Parameters
    ----------
    candidate : Package
    evidence : Evidence
        The champion is scored on its rows again; no old figure of it is used.
    config : PromotionConfig
    champion : Package, optional
        What serves in Production; None when nothing does.
    seed : int
        Seed of the resamples.

    Raises
    ------
    DataError
        When the rows are not what the candidate's schema declares.
    UnknownKind
        When a setting names a metric that is in no table.
    """
    metric_named(config.metric, key="promotion.metric")
    metric_named(config.slices.metric, key="promotion.slices.metric")
    for name in config.limits:
        metric_named(name, key="promotion.limits")
    case = _Case(candidate, champion, evidence, config, seed)
    gates = [gate for one in _GATES for gate in one(case)]
    gates += [replace(gate, depends_on="champion") for one in _AGAINST_CHAMPION for gate in one(case)]
    return GateReport(candidate.digest, None if champion is None else champion.digest, tuple(gates))


def _rows(case: _Case) -> list[Gate]:
    """No error in the rows that it learned from."""
    level = str(case.evidence.validation["level"])
    reason = f"validation says {level}"
    return [Gate("validation", "fail" if level in ("error", "critical") else "pass", reason)]


def _leakage(case: _Case) -> list[Gate]:
    """No column gives the label away."""
    named = sorted({str(column) for column in case.evidence.validation["leakage"]})
    reason = f"{', '.join(named)} gives the label away" if named else "no column gives the label away"
    return [Gate("leakage", "fail" if named else "pass", reason)]


def _limits(case: _Case) -> list[Gate]:
    """No figure on the test rows is beyond its limit, as far as these rows can tell."""
    return [
        _limit(name, limit, case.evidence.evaluation["metrics"].get(name), _floor(case, name))
        for name, limit in sorted(case.config.limits.items())
    ]


def _floor(case: _Case, name: str) -> float:
    """Return what chance alone makes of a figure on these rows."""
    if not METRICS[name].has_floor:
        return 0.0
    return expected_if_calibrated(case.scored(case.candidate), name, resamples=_FLOOR_DRAWS, seed=case.seed)


def _limit(name: str, limit: float, found: Mapping[str, Any] | None, floor: float) -> Gate:
    metric = METRICS[name]
    if found is None or found["value"] is None:
        return Gate(f"limit {name}", "fail", "is not in the evaluation; add it to evaluation.metrics", limit=limit)
    better_end = found["high" if metric.higher_is_better else "low"]
    value = found["value"] if better_end is None else better_end
    misses = value < limit if metric.higher_is_better else value > limit + floor
    by_chance = f"; {floor:.4g} of it by chance on these rows" if floor else ""
    reason = f"{found['value']:.4g}, and {value:.4g} at the better end of its interval{by_chance}"
    side: Literal["above", "below"] = "below" if metric.higher_is_better else "above"
    return Gate(f"limit {name}", "fail" if misses else "pass", reason, found["value"], limit + floor, side, metric.unit)


def _baselines(case: _Case) -> list[Gate]:
    """Better than each baseline beyond chance: the interval of the difference lies on the better side of 0."""
    name, gates = case.config.metric, []
    for baseline in case.config.baselines:
        found = case.evidence.evaluation["baselines"][baseline]["difference"].get(name)
        gates.append(_against_baseline(f"better than {baseline}", name, found))
    return gates


def _against_baseline(gate: str, name: str, found: Mapping[str, Any] | None) -> Gate:
    metric = METRICS[name]
    if found is None or found["low"] is None:
        return Gate(gate, "fail", f"{name} was not compared; add it to evaluation.metrics")
    worse_end = found["low"] if metric.higher_is_better else found["high"]
    is_better = worse_end > 0 if metric.higher_is_better else worse_end < 0
    reason = f"{name} differs by {found['value']:+.4g}, from {found['low']:+.4g} to {found['high']:+.4g}"
    side: Literal["above", "below"] = "below" if metric.higher_is_better else "above"
    return Gate(gate, "pass" if is_better else "fail", reason, worse_end, 0.0, side, metric.unit)


def _champion(case: _Case) -> list[Gate]:
    """Superior or non-inferior to the champion by the paired bootstrap on the same rows."""
    if case.champion is None:
        return [Gate("champion", "pass", "nothing serves in Production yet")]
    if case.champion.digest == case.candidate.digest:
        return [Gate("champion", "hold", "it is the champion itself")]
    missing = [one for one in case.champion.schema.feature_names if one not in case.test]
    if missing or case.champion.classes != case.candidate.classes:
        return [Gate("champion", "hold", "the champion cannot be scored on these rows: other columns or classes")]
    config, name = case.config, case.config.metric
    sampling: dict[str, Any] = {"confidence": config.confidence, "resamples": config.resamples, "seed": case.seed}
    candidate, champion = case.scored(case.candidate), case.scored(case.champion)
    return [_decided(compare(candidate, champion, [name], **sampling)[name], config)]


def _decided(found: Estimate, config: PromotionConfig) -> Gate:
    metric = METRICS[config.metric]
    if found.value is None or found.low is None or found.high is None:
        return Gate("champion", "hold", f"{config.metric} is not defined on these rows")
    sign = -1.0 if metric.higher_is_better else 1.0
    worst, best = max(sign * found.low, sign * found.high), min(sign * found.low, sign * found.high)
    margin = config.margin if config.rule == "non_inferior" else 0.0
    result: Literal["pass", "hold", "fail"] = "pass" if worst < margin else "fail" if best > margin else "hold"
    said = {
        "pass": "superior" if config.rule == "superior" else "not inferior",
        "hold": "not told apart by these rows",
        "fail": "inferior",
    }[result]
    reason = f"{said}: {config.metric} differs by {found.value:+.4g}, from {found.low:+.4g} to {found.high:+.4g}"
    side: Literal["above", "below"] = "below" if metric.higher_is_better else "above"
    return Gate("champion", result, reason, sign * worst, sign * margin, side, metric.unit)


def _slices(case: _Case) -> list[Gate]:
    """No part of the rows becomes worse than the champion's by more than is allowed."""
    if case.champion is None or case.champion.classes != case.candidate.classes:
        return [Gate("slices", "pass", "there is no champion to compare slices with")]
    if any(one not in case.test for one in case.champion.schema.feature_names):
        return [Gate("slices", "hold", "the champion cannot be scored on these rows")]
    worst = worst_slice(
        case.scored(case.candidate), case.scored(case.champion), case.test, case.candidate, case.config, case.seed
    )
    metric = METRICS[case.config.slices.metric]
    if worst is None:
        return [Gate("slices", "pass", "no slice has enough rows to be judged")]
    limit = case.config.slices.worsening
    fails = worst.at_least is not None and worst.at_least > limit
    beyond = "" if worst.at_least is None else f", {worst.at_least:.4g} of it beyond chance"
    reason = f"{worst.name}: {metric.name} changes for the worse by {worst.value:.4g}{beyond}"
    value = worst.value if worst.at_least is None else worst.at_least
    return [Gate("slices", "fail" if fails else "pass", reason, value, limit, "above", metric.unit)]


def _form(case: _Case) -> list[Gate]:
    """ONNX where it is asked for, size, and time for one row."""
    proof = case.candidate.manifest.onnx
    missing = not proof.used and case.config.require_onnx
    said = f"agrees on {proof.rows:,} rows" if proof.used else f"scikit-learn serves: {proof.reason}"
    size = sum(entry.size for entry in case.candidate.manifest.files.values()) / 1e6
    limit = case.config.size_mb
    return [
        Gate("onnx", "fail" if missing else "pass", said),
        Gate(
            "size", "fail" if size > limit else "pass", "all files of the package", round(size, 3), limit, "above", "MB"
        ),
        _latency(case),
    ]


def _latency(case: _Case) -> Gate:
    first = case.test[list(case.candidate.schema.feature_names)].head(1).astype(object)
    row = {str(name): values.where(values.notna(), None).tolist() for name, values in first.items()}
    taken = []
    for _ in range(_WARM_UP + _TIMED):
        started = time.perf_counter()
        case.candidate.predict_proba(row)
        taken.append(time.perf_counter() - started)
    value, limit = float(np.median(taken[_WARM_UP:])) * 1e3, case.config.latency_ms
    reason = f"median of {_TIMED} single rows"
    return Gate(
        "latency", "fail" if value > limit else "pass", reason, value, limit, "above", "ms", depends_on="machine"
    )


def _schema(case: _Case) -> list[Gate]:
    """Who sends rows by the champion's declaration can go on doing so."""
    if case.champion is None:
        return [Gate("schema", "pass", "there are no callers yet")]
    changes = compare_schemas(case.champion.schema, case.candidate.schema)
    breaking = [one for one in changes if one.breaks]
    fails = bool(breaking) and not case.config.breaking
    reason = "; ".join(map(str, breaking or changes)) or "equal to the champion's"
    return [Gate("schema", "fail" if fails else "pass", reason)]


_GATES: tuple[Callable[[_Case], list[Gate]], ...] = (
    _rows,
    _leakage,
    _limits,
    _baselines,
    _form,
)
_AGAINST_CHAMPION: tuple[Callable[[_Case], list[Gate]], ...] = (_champion, _slices, _schema)
