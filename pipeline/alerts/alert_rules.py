"""Judge the rules of conf/alerts: each speaks, is calm, or cannot be judged."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipeline.lookup import LookupTable
from pipeline.text import percent, pluralize

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipeline.alerts.rule_inputs import RuleInputs
    from pipeline.config.groups.alerts_config import AlertRuleConfig

__all__ = ["SEVERITIES", "RuleResult", "evaluate_rules"]

SEVERITIES = ("info", "warning", "critical")
_US_PER_MINUTE = 60_000_000
_SIGNIFICANCE_LEVEL = 0.001  # at which errors above the limit are taken for luck
_US_PER_HOUR = 60 * _US_PER_MINUTE


@dataclass(frozen=True, slots=True)
class RuleResult:
    """What one rule says.

    `speaks` is None where the rule could not be judged: what it said before stays as it is. `value` and
    `limit` are in the unit of the rule; `words` is one clause; `next` is the command to type now.
    """

    rule: str
    condition: str
    group: str
    severity: str
    is_firing: bool | None
    summary: str
    value: float | None = None
    threshold: float | None = None
    next_command: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Result:
    is_firing: bool | None
    summary: str
    value: float | None = None


@dataclass(frozen=True, slots=True)
class _Condition:
    evaluate: Callable[[RuleInputs, float], _Result]
    next_command: str


CONDITIONS: LookupTable[_Condition] = LookupTable("alerts.rules.condition")
_REPORT_COMMAND = "mlops monitor report"


def evaluate_rules(rules: Mapping[str, AlertRuleConfig], inputs: RuleInputs) -> tuple[RuleResult, ...]:
    """Return what each rule says of the facts, in the order of the rules."""
    found = []
    for name, rule in rules.items():
        kind, limit = CONDITIONS[rule.condition], rule.threshold if rule.threshold is not None else 0.0
        said = kind.evaluate(inputs, limit)
        found.append(
            RuleResult(
                name,
                rule.condition,
                rule.group,
                rule.severity,
                said.is_firing,
                said.summary,
                said.value,
                rule.threshold,
                kind.next_command,
            )
        )
    return tuple(found)


def _condition(
    name: str, command: str
) -> Callable[[Callable[[RuleInputs, float], _Result]], Callable[[RuleInputs, float], _Result]]:
    def join(judge: Callable[[RuleInputs, float], _Result]) -> Callable[[RuleInputs, float], _Result]:
        CONDITIONS.add(name)(_Condition(judge, command))
        return judge

    return join


def _compare_to_threshold(value: float, threshold: float, summary: str) -> _Result:
    return _Result(value > threshold, summary, value)


@_condition("drift", _REPORT_COMMAND)
def _drift(inputs: RuleInputs, _limit: float) -> _Result:
    drift = inputs.report["drift"]
    if drift["verdict"] in ("not_enough_data", "not_evaluated"):
        return _Result(None, drift["summary"])
    names = drift["drifted_features"]
    if not drift["drift_detected"]:
        return _Result(is_firing=False, summary=drift["summary"])
    if not names:
        return _Result(is_firing=True, summary="columns moved together, none by itself")
    n_columns = len(drift["findings"])
    return _compare_to_threshold(len(names), 0, f"{len(names)} of {pluralize(n_columns, 'distribution')} drifted")


@_condition("degradation", _REPORT_COMMAND)
def _degradation(inputs: RuleInputs, _limit: float) -> _Result:
    found = inputs.report["degradation"]
    if inputs.report["performance"]["n_outcomes"] < inputs.min_rows:
        return _Result(None, f"{pluralize(found['n_outcomes'], 'outcome')}: too few to judge")
    worse = found["degraded_metrics"]
    return _Result(
        bool(worse), f"worse than the baseline: {', '.join(worse)}" if worse else "no degradation", len(worse)
    )


@_condition("not_trusted", _REPORT_COMMAND)
def _not_trusted(inputs: RuleInputs, _limit: float) -> _Result:
    performance = inputs.report["performance"]
    if performance["n_outcomes"] < inputs.min_rows:
        return _Result(None, f"{pluralize(performance['n_outcomes'], 'outcome')}: too few to audit the estimate")
    names = sorted(name for name, one in performance["estimates_agree"].items() if one is False)
    words = f"estimates are off, as outcomes show: {', '.join(names)}" if names else "estimates hold"
    return _Result(bool(names), words, len(names))


@_condition("error_rate", "curl -s localhost:5000/v1/status")
def _error_rate(inputs: RuleInputs, threshold: float) -> _Result:
    since = inputs.responses_since_previous_run
    if since is None:
        return _Result(None, "no answers of a server are known since the run before")
    n_answers, n_errors = since
    share = n_errors / n_answers
    if share > threshold and _binomial_p_value(n_errors, n_answers, threshold) > _SIGNIFICANCE_LEVEL:
        return _Result(
            None, f"{pluralize(int(n_answers), 'answer')}: too few to tell {percent(share)} errors from luck"
        )
    return _compare_to_threshold(
        share, threshold, f"{percent(share)} of {pluralize(int(n_answers), 'answer')} were errors of the server"
    )


@_condition("log_lag", "mlops doctor")
def _log_lag(inputs: RuleInputs, threshold: float) -> _Result:
    if inputs.server_metrics is None:
        return _Result(None, "no server answers with its figures")
    if inputs.server_metrics.is_log_failing:
        return _Result(
            is_firing=True, summary="the prediction log cannot be written", value=inputs.server_metrics.n_queued_rows
        )
    return _compare_to_threshold(
        inputs.server_metrics.n_queued_rows,
        threshold,
        f"{pluralize(int(inputs.server_metrics.n_queued_rows), 'row')} wait for the log",
    )


@_condition("no_traffic", "curl -s localhost:5000/readyz")
def _no_traffic(inputs: RuleInputs, threshold: float) -> _Result:
    known = [one for one in (inputs.freshness.last_prediction_at, inputs.freshness.deployed_at) if one is not None]
    if not known:
        return _Result(None, "nothing is in production")
    minutes = (inputs.evaluated_at - max(known)) / _US_PER_MINUTE
    return _compare_to_threshold(minutes, threshold, f"no prediction for {_duration(minutes * _US_PER_MINUTE)}")


@_condition("stale_monitor", "python -m stages.monitor")
def _stale_monitor(inputs: RuleInputs, threshold: float) -> _Result:
    if inputs.previous_run is None:
        return _Result(None, "this is the first run of the monitor")
    hours = (inputs.evaluated_at - inputs.previous_run.recorded_at) / _US_PER_HOUR
    return _compare_to_threshold(hours, threshold, f"nobody had watched for {_duration(hours * _US_PER_HOUR)}")


@_condition("stale_outcomes", "mlops feedback FILE")
def _stale_outcomes(inputs: RuleInputs, threshold: float) -> _Result:
    # Where none ever came they are waited for since the version is in production.
    last = (
        inputs.freshness.last_outcome_at
        if inputs.freshness.last_outcome_at is not None
        else inputs.freshness.deployed_at
    )
    if last is None or not inputs.report["dashboard"]["total_predictions"]:
        return _Result(None, "there are no predictions that outcomes could come for")
    hours = (inputs.evaluated_at - last) / _US_PER_HOUR
    return _compare_to_threshold(hours, threshold, f"no outcome for {_duration(hours * _US_PER_HOUR)}")


@_condition("stale_model", "dvc repro")
def _stale_model(inputs: RuleInputs, threshold: float) -> _Result:
    if inputs.freshness.deployed_at is None:
        return _Result(None, "nothing is in production")
    hours = (inputs.evaluated_at - inputs.freshness.deployed_at) / _US_PER_HOUR
    return _compare_to_threshold(
        hours, threshold, f"the version in production has served for {_duration(hours * _US_PER_HOUR)}"
    )


def _binomial_p_value(n_errors: float, n_answers: float, share: float) -> float:
    """Return how likely so many errors, or more, are where `share` of the answers are errors."""
    from scipy.special import bdtrc

    return float(bdtrc(n_errors - 1, int(n_answers), share))


def _duration(us: float) -> str:
    minutes = us / _US_PER_MINUTE
    if minutes < 120:
        return pluralize(max(round(minutes), 0), "minute")
    return pluralize(round(minutes / 60), "hour") if minutes < 48 * 60 else pluralize(round(minutes / 60 / 24), "day")
