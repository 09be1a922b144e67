"""Judge the rules of conf/alerts: each speaks, is calm, or cannot be judged."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipeline.kinds import LookupTable
from pipeline.words import pluralize

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipeline.alerts.facts import Facts
    from pipeline.config.groups.alerts import AlertRuleConfig

__all__ = ["SEVERITIES", "Judged", "judge_rules"]

SEVERITIES = ("info", "warning", "critical")
_US_IN_A_MINUTE = 60_000_000
_CHANCE = 0.001  # at which errors above the limit are taken for luck
_US_IN_AN_HOUR = 60 * _US_IN_A_MINUTE


@dataclass(frozen=True, slots=True)
class Judged:
    """What one rule says.

    `speaks` is None where the rule could not be judged: what it said before stays as it is. `value` and
    `limit` are in the unit of the rule; `words` is one clause; `next` is the command to type now.
    """

    rule: str
    when: str
    group: str
    severity: str
    speaks: bool | None
    words: str
    value: float | None = None
    limit: float | None = None
    next: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Said:
    speaks: bool | None
    words: str
    value: float | None = None


@dataclass(frozen=True, slots=True)
class _Kind:
    judge: Callable[[Facts, float], _Said]
    next: str


KINDS: LookupTable[_Kind] = LookupTable("alerts.rules.when")
_LOOK = "mlops monitor report"


def judge_rules(rules: Mapping[str, AlertRuleConfig], facts: Facts) -> tuple[Judged, ...]:
    """Return what each rule says of the facts, in the order of the rules."""
    found = []
    for name, rule in rules.items():
        kind, limit = KINDS[rule.when], rule.above if rule.above is not None else 0.0
        said = kind.judge(facts, limit)
        found.append(
            Judged(
                name, rule.when, rule.group, rule.severity, said.speaks, said.words, said.value, rule.above, kind.next
            )
        )
    return tuple(found)


def _rule(name: str, command: str) -> Callable[[Callable[[Facts, float], _Said]], Callable[[Facts, float], _Said]]:
    def join(judge: Callable[[Facts, float], _Said]) -> Callable[[Facts, float], _Said]:
        KINDS.add(name)(_Kind(judge, command))
        return judge

    return join


def _above(value: float, limit: float, words: str) -> _Said:
    return _Said(value > limit, words, value)


@_rule("drift", _LOOK)
def _drift(facts: Facts, _limit: float) -> _Said:
    drift = facts.report["drift"]
    if drift["verdict"] in ("not_enough_data", "not_evaluated"):
        return _Said(None, drift["summary"])
    names = drift["drifted_features"]
    if not drift["drift_detected"]:
        return _Said(speaks=False, words=drift["summary"])
    if not names:
        return _Said(speaks=True, words="columns moved together, none by itself")
    n_columns = len(drift["findings"])
    return _above(len(names), 0, f"{len(names)} of {pluralize(n_columns, 'distribution')} drifted")


@_rule("degradation", _LOOK)
def _degradation(facts: Facts, _limit: float) -> _Said:
    found = facts.report["degradation"]
    if facts.report["performance"]["n_outcomes"] < facts.min_rows:
        return _Said(None, f"{pluralize(found['n_outcomes'], 'outcome')}: too few to judge")
    worse = found["degraded_metrics"]
    return _Said(bool(worse), f"worse than the baseline: {', '.join(worse)}" if worse else "no degradation", len(worse))


@_rule("not_trusted", _LOOK)
def _not_trusted(facts: Facts, _limit: float) -> _Said:
    performance = facts.report["performance"]
    if performance["n_outcomes"] < facts.min_rows:
        return _Said(None, f"{pluralize(performance['n_outcomes'], 'outcome')}: too few to audit the estimate")
    names = sorted(name for name, one in performance["trusted"].items() if one is False)
    words = f"estimates are off, as outcomes show: {', '.join(names)}" if names else "estimates hold"
    return _Said(bool(names), words, len(names))


@_rule("error_rate", "curl -s localhost:5000/v1/status")
def _error_rate(facts: Facts, limit: float) -> _Said:
    since = facts.answers_since
    if since is None:
        return _Said(None, "no answers of a server are known since the run before")
    n_answers, n_errors = since
    share = n_errors / n_answers
    if share > limit and _chance(n_errors, n_answers, limit) > _CHANCE:
        return _Said(None, f"{pluralize(int(n_answers), 'answer')}: too few to tell {100 * share:.2g} % errors from luck")
    return _above(share, limit, f"{100 * share:.2g} % of {pluralize(int(n_answers), 'answer')} were errors of the server")


@_rule("log_lag", "mlops doctor")
def _log_lag(facts: Facts, limit: float) -> _Said:
    if facts.server is None:
        return _Said(None, "no server answers with its figures")
    if facts.server.is_failing:
        return _Said(speaks=True, words="the prediction log cannot be written", value=facts.server.n_waiting)
    return _above(facts.server.n_waiting, limit, f"{pluralize(int(facts.server.n_waiting), 'row')} wait for the log")


@_rule("no_traffic", "curl -s localhost:5000/readyz")
def _no_traffic(facts: Facts, limit: float) -> _Said:
    known = [one for one in (facts.fresh.prediction_at, facts.fresh.production_since) if one is not None]
    if not known:
        return _Said(None, "nothing is in production")
    minutes = (facts.at - max(known)) / _US_IN_A_MINUTE
    return _above(minutes, limit, f"no prediction for {_spell(minutes * _US_IN_A_MINUTE)}")


@_rule("stale_monitor", "python -m stages.monitor")
def _stale_monitor(facts: Facts, limit: float) -> _Said:
    if facts.before is None:
        return _Said(None, "this is the first run of the monitor")
    hours = (facts.at - facts.before.at) / _US_IN_AN_HOUR
    return _above(hours, limit, f"nobody had watched for {_spell(hours * _US_IN_AN_HOUR)}")


@_rule("stale_outcomes", "mlops feedback FILE")
def _stale_outcomes(facts: Facts, limit: float) -> _Said:
    # Where none ever came they are waited for since the version is in production.
    last = facts.fresh.outcome_at if facts.fresh.outcome_at is not None else facts.fresh.production_since
    if last is None or not facts.report["dashboard"]["total_predictions"]:
        return _Said(None, "there are no predictions that outcomes could come for")
    hours = (facts.at - last) / _US_IN_AN_HOUR
    return _above(hours, limit, f"no outcome for {_spell(hours * _US_IN_AN_HOUR)}")


@_rule("stale_model", "dvc repro")
def _stale_model(facts: Facts, limit: float) -> _Said:
    if facts.fresh.production_since is None:
        return _Said(None, "nothing is in production")
    hours = (facts.at - facts.fresh.production_since) / _US_IN_AN_HOUR
    return _above(hours, limit, f"the version in production has served for {_spell(hours * _US_IN_AN_HOUR)}")


def _chance(n_errors: float, n_answers: float, share: float) -> float:
    """Return how likely so many errors, or more, are where `share` of the answers are errors."""
    from scipy.special import bdtrc

    return float(bdtrc(n_errors - 1, int(n_answers), share))


def _spell(us: float) -> str:
    minutes = us / _US_IN_A_MINUTE
    if minutes < 120:
        return pluralize(max(round(minutes), 0), "minute")
    return pluralize(round(minutes / 60), "hour") if minutes < 48 * 60 else pluralize(round(minutes / 60 / 24), "day")
