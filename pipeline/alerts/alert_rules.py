"""Evaluate the rules of conf/alerts: each fires, does not fire, or cannot be evaluated."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipeline.alerts import loop_conditions, trial_conditions  # noqa: F401 - add their conditions to the table
from pipeline.alerts.condition_table import CONDITIONS, ConditionResult, condition
from pipeline.fairness import fairness_summary
from pipeline.metrics.metric_labels import metric_label
from pipeline.project.engine_files import stage_command
from pipeline.text import percent, pluralize

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.alerts.rule_inputs import RuleInputs
    from pipeline.config.groups.alerts_config import AlertRuleConfig

__all__ = ["SEVERITIES", "RuleResult", "evaluate_rules"]

SEVERITIES = ("info", "warning", "critical")
_US_PER_MINUTE = 60_000_000
_SIGNIFICANCE_LEVEL = 0.001  # above it, errors beyond the threshold count as chance
_US_PER_HOUR = 60 * _US_PER_MINUTE


@dataclass(frozen=True, slots=True)
class RuleResult:
    """The result of one rule.

    `is_firing` is None where the rule could not be evaluated: its incident stays as it is. `value` and
    `threshold` are in the unit of the rule; `summary` is one clause; `next_command` is the command to run next.
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


_REPORT_COMMAND = "mlops monitor report"


def evaluate_rules(rules: Mapping[str, AlertRuleConfig], inputs: RuleInputs) -> tuple[RuleResult, ...]:
    """Return the result of each rule, in the order of the rules."""
    results = []
    for name, rule in rules.items():
        declared = CONDITIONS[rule.condition]
        result = declared.evaluate(inputs, 0.0 if rule.threshold is None else rule.threshold)
        results.append(
            RuleResult(
                rule=name,
                condition=rule.condition,
                group=rule.group,
                severity=rule.severity,
                is_firing=result.is_firing,
                summary=result.summary,
                value=result.value,
                threshold=rule.threshold,
                next_command=result.next_command or declared.next_command,
            )
        )
    return tuple(results)


def _compare_to_threshold(value: float, threshold: float, summary: str) -> ConditionResult:
    return ConditionResult(value > threshold, summary, value)


@condition("drift", _REPORT_COMMAND)
def _drift(inputs: RuleInputs, _threshold: float) -> ConditionResult:
    drift = inputs.report["drift"]
    if drift["verdict"] in ("not_enough_data", "not_evaluated"):
        return ConditionResult(None, drift["summary"])
    names = drift["drifted_features"]
    if not drift["drift_detected"]:
        return ConditionResult(is_firing=False, summary=drift["summary"])
    if not names:
        return ConditionResult(is_firing=True, summary="joint drift; no feature drifts by itself")
    n_columns = len(drift["findings"])
    return _compare_to_threshold(len(names), 0, f"{len(names)} of {pluralize(n_columns, 'distribution')} drifted")


@condition("degradation", _REPORT_COMMAND)
def _degradation(inputs: RuleInputs, _threshold: float) -> ConditionResult:
    degradation = inputs.report["degradation"]
    if inputs.report["performance"]["n_outcomes"] < inputs.min_rows:
        return ConditionResult(None, f"{pluralize(degradation['n_outcomes'], 'outcome')}: too few to evaluate")
    worse = [metric_label(name) for name in degradation["degraded_metrics"]]
    return ConditionResult(
        bool(worse), f"worse than the baseline: {', '.join(worse)}" if worse else "no degradation", len(worse)
    )


@condition("not_trusted", _REPORT_COMMAND)
def _not_trusted(inputs: RuleInputs, _threshold: float) -> ConditionResult:
    performance = inputs.report["performance"]
    if performance["n_outcomes"] < inputs.min_rows:
        return ConditionResult(
            None, f"{pluralize(performance['n_outcomes'], 'outcome')}: too few to audit the estimate"
        )
    names = sorted(name for name, agrees in performance["estimates_agree"].items() if agrees is False)
    summary = (
        f"estimated metrics disagree with outcomes: {', '.join(map(metric_label, names))}"
        if names
        else "estimates agree with outcomes"
    )
    return ConditionResult(bool(names), summary, len(names))


@condition("fairness", "mlops fairness report --live")
def _fairness(inputs: RuleInputs, _threshold: float) -> ConditionResult:
    fairness = inputs.report["fairness"]
    summary = fairness_summary(fairness)
    groups = [group["verdict"] for column in fairness["columns"] for group in column["groups"]]
    if fairness["verdict"] in ("not_assessed", "not_enough_data") and "pass" not in groups:
        return ConditionResult(None, summary)
    return ConditionResult("fail" in groups, summary, groups.count("fail"))


@condition("importance", _REPORT_COMMAND)
def _importance(inputs: RuleInputs, _threshold: float) -> ConditionResult:
    importance = inputs.report["importance"]
    if not importance["windows"]:
        return ConditionResult(None, "the importance of features has not been measured on labeled rows yet")
    changed = importance["changed_features"]
    summary = (
        f"the importance of {', '.join(changed)} changed" if changed else "the importance of features is unchanged"
    )
    return ConditionResult(bool(changed), summary, len(changed))


@condition("error_rate", "curl -s localhost:5000/v1/status")
def _error_rate(inputs: RuleInputs, threshold: float) -> ConditionResult:
    since = inputs.responses_since_previous_run
    if since is None:
        return ConditionResult(None, "no server responses are known since the previous run")
    n_responses, n_errors = since
    share, responses = n_errors / n_responses, pluralize(int(n_responses), "response")
    if share > threshold and _binomial_p_value(n_errors, n_responses, threshold) > _SIGNIFICANCE_LEVEL:
        return ConditionResult(None, f"{responses}: too few to distinguish {percent(share)} errors from chance")
    return _compare_to_threshold(share, threshold, f"{percent(share)} of {responses} were server errors")


@condition("log_lag", "mlops doctor")
def _log_lag(inputs: RuleInputs, threshold: float) -> ConditionResult:
    if inputs.server_metrics is None:
        return ConditionResult(None, "no server responds with its metrics")
    if inputs.server_metrics.is_log_failing:
        return ConditionResult(
            is_firing=True, summary="the prediction log cannot be written", value=inputs.server_metrics.n_queued_rows
        )
    return _compare_to_threshold(
        inputs.server_metrics.n_queued_rows,
        threshold,
        f"{pluralize(int(inputs.server_metrics.n_queued_rows), 'row')} wait for the log",
    )


@condition("no_traffic", "curl -s localhost:5000/readyz")
def _no_traffic(inputs: RuleInputs, threshold: float) -> ConditionResult:
    moments = (inputs.freshness.last_prediction_at, inputs.freshness.deployed_at)
    known = [moment for moment in moments if moment is not None]
    if not known:
        return ConditionResult(None, "nothing is in production")
    minutes = (inputs.evaluated_at - max(known)) / _US_PER_MINUTE
    return _compare_to_threshold(minutes, threshold, f"no prediction for {_duration(minutes * _US_PER_MINUTE)}")


@condition("stale_monitor", stage_command("monitor"))
def _stale_monitor(inputs: RuleInputs, threshold: float) -> ConditionResult:
    if inputs.previous_run is None:
        return ConditionResult(None, "this is the first run of the monitor")
    hours = (inputs.evaluated_at - inputs.previous_run.recorded_at) / _US_PER_HOUR
    return _compare_to_threshold(hours, threshold, f"the monitor had not run for {_duration(hours * _US_PER_HOUR)}")


@condition("stale_outcomes", "mlops feedback FILE")
def _stale_outcomes(inputs: RuleInputs, threshold: float) -> ConditionResult:
    # Where none has ever arrived, the time counts from the deployment.
    last = (
        inputs.freshness.last_outcome_at
        if inputs.freshness.last_outcome_at is not None
        else inputs.freshness.deployed_at
    )
    if last is None or not inputs.report["dashboard"]["total_predictions"]:
        return ConditionResult(None, "there are no predictions that outcomes could arrive for")
    hours = (inputs.evaluated_at - last) / _US_PER_HOUR
    return _compare_to_threshold(hours, threshold, f"no outcome for {_duration(hours * _US_PER_HOUR)}")


@condition("stale_model", "dvc repro")
def _stale_model(inputs: RuleInputs, threshold: float) -> ConditionResult:
    if inputs.freshness.deployed_at is None:
        return ConditionResult(None, "nothing is in production")
    hours = (inputs.evaluated_at - inputs.freshness.deployed_at) / _US_PER_HOUR
    return _compare_to_threshold(
        hours, threshold, f"the production version is in use for {_duration(hours * _US_PER_HOUR)}"
    )


def _binomial_p_value(n_errors: float, n_responses: float, share: float) -> float:
    """Return how likely so many errors, or more, are where `share` of the responses are errors."""
    from scipy.special import bdtrc

    return float(bdtrc(n_errors - 1, int(n_responses), share))


def _duration(us: float) -> str:
    minutes = us / _US_PER_MINUTE
    if minutes < 120:
        return pluralize(max(round(minutes), 0), "minute")
    return pluralize(round(minutes / 60), "hour") if minutes < 48 * 60 else pluralize(round(minutes / 60 / 24), "day")
