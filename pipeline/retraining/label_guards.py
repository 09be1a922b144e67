"""Guard a retrain against wrong labels: by caller, by contradictions, by corrections and by coverage."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pipeline.metrics import wilson_interval
from pipeline.text import percent, pluralize

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pipeline.config.groups.lifecycle_config import LabelGuardsConfig

    Floats = NDArray[np.float64]
    Codes = NDArray[np.int64]

__all__ = ["CallerLabels", "GuardResult", "LabelEvidence", "evaluate_guards", "labels_by_caller"]

_CONFIDENT = 0.97  # a label against such a probability is a contradiction
_FALSE_ALARM_RATE = 0.01  # of all callers of a retrain together
_MIN_RATIO = 2.0  # times the contradictions of the other callers
_MIN_DOUBT = 0.001  # a model such as a forest is certain of rows that outcomes contradict all the same
_MIN_COVERAGE_RATIO = 1 / 3
_QUANTILE = 1.96  # of the intervals of shares


@dataclass(frozen=True)
class LabelEvidence:
    """The new labels of a retrain, one for each labeled prediction.

    Attributes
    ----------
    callers : sequence of str
        Who sent the last outcome of each; empty where no credential was required.
    y : int, shape (n_labels,)
        Codes of the outcomes.
    probabilities : float, shape (n_labels, n_classes)
        What the champion predicted.
    is_changed : bool, shape (n_labels,)
        Whether outcomes with different values were sent for the prediction.
    coverage : mapping of str to (int, int)
        Class -> predictions of it since the last snapshot, and how many of them have an outcome.
    """

    callers: Sequence[str]
    y: Codes
    probabilities: Floats
    is_changed: NDArray[np.bool_]
    coverage: Mapping[str, tuple[int, int]]

    @cached_property
    def caller_names(self) -> list[str]:
        """The callers, sorted."""
        return sorted(set(self.callers))

    @cached_property
    def is_confident(self) -> NDArray[np.bool_]:
        """Whether the champion was sure of each."""
        return np.asarray(self.probabilities.max(axis=1, initial=0.0) >= _CONFIDENT)

    @cached_property
    def is_contradiction(self) -> NDArray[np.bool_]:
        """Whether the outcome is another class than the one that the champion was sure of."""
        return np.asarray(self.is_confident & (self.probabilities.argmax(axis=1) != self.y))

    def of_caller(self, name: str) -> NDArray[np.bool_]:
        """Return which labels a caller sent."""
        return np.asarray([caller == name for caller in self.callers], dtype=np.bool_)


@dataclass(frozen=True, slots=True)
class CallerLabels:
    """Labels of one caller: all, those against which the champion was sure, contradictions and their expected number.

    `expected` follows from the champion's probabilities of the caller's own rows, of which none counts as certain.
    """

    caller: str
    n_labels: int
    n_confident: int
    n_contradictions: int
    expected: float
    n_changed: int

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class GuardResult:
    """The result of one guard; `caller` is the one that a hold names."""

    name: str
    result: Literal["pass", "hold"]
    reason: str
    caller: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def evaluate_guards(evidence: LabelEvidence, settings: LabelGuardsConfig) -> list[GuardResult]:
    """Return the result of each guard on labels that arrived since the last snapshot.

    Nothing is deleted: `skip_callers` leaves the labels of a caller out of the next snapshot.
    """
    callers = labels_by_caller(evidence)
    return [
        _caller_share(callers, settings),
        _flips(callers, settings),
        *_contradictions(callers, settings),
        _coverage(evidence.coverage),
    ]


def labels_by_caller(evidence: LabelEvidence) -> list[CallerLabels]:
    """Count the labels of each caller, in the order of their names."""
    doubt = np.maximum(1.0 - evidence.probabilities.max(axis=1, initial=0.0), _MIN_DOUBT)
    return [
        CallerLabels(
            caller=name,
            n_labels=int(is_own.sum()),
            n_confident=int((is_own & evidence.is_confident).sum()),
            n_contradictions=int((is_own & evidence.is_contradiction).sum()),
            expected=float(doubt[is_own & evidence.is_confident].sum()),
            n_changed=int((is_own & evidence.is_changed).sum()),
        )
        for name in evidence.caller_names
        for is_own in [evidence.of_caller(name)]
    ]


def _caller_share(callers: Sequence[CallerLabels], settings: LabelGuardsConfig) -> GuardResult:
    """No caller sent more than its share of the labels."""
    n_labels = sum(caller.n_labels for caller in callers)
    if not n_labels:
        return GuardResult("caller_share", "pass", "no label arrived")
    largest = max(callers, key=lambda caller: caller.n_labels)
    share = largest.n_labels / n_labels
    finding = f"{_name(largest.caller)} sent {percent(share)} of {pluralize(n_labels, 'label')}"
    if share <= settings.max_caller_share:
        return GuardResult("caller_share", "pass", f"{finding}, at most {percent(settings.max_caller_share)} allowed")
    remedy = f"set lifecycle.retrain.labels.max_caller_share: {np.ceil(share * 100) / 100:g} if you trust it"
    return GuardResult(
        "caller_share",
        "hold",
        f"{finding}; expected at most {percent(settings.max_caller_share)}; {remedy}",
        largest.caller,
    )


def _flips(callers: Sequence[CallerLabels], settings: LabelGuardsConfig) -> GuardResult:
    """Few outcomes were sent twice with different values."""
    n_labels = sum(caller.n_labels for caller in callers)
    n_changed = sum(caller.n_changed for caller in callers)
    share = n_changed / n_labels if n_labels else 0.0
    finding = f"{percent(share)} of {pluralize(n_labels, 'label')} were sent twice with different values"
    if share <= settings.max_flips:
        return GuardResult("flips", "pass", f"{finding}, at most {percent(settings.max_flips)} allowed")
    worst = max(callers, key=lambda caller: caller.n_changed)
    most = f"{_name(worst.caller)} sent {worst.n_changed:,} of them last"
    return GuardResult(
        "flips",
        "hold",
        f"{finding}; expected at most {percent(settings.max_flips)}; {most}; {_skip(worst)}",
        worst.caller,
    )


def _contradictions(callers: Sequence[CallerLabels], settings: LabelGuardsConfig) -> list[GuardResult]:
    """No caller contradicts the confident champion more than the others do, relative to what its rows let expect."""
    holds = [result for caller in callers if (result := _contradicting(caller, callers, settings)) is not None]
    if holds:
        return holds
    if len(callers) < 2:
        return [GuardResult("contradictions", "pass", "one caller cannot be compared with others")]
    return [GuardResult("contradictions", "pass", "no caller contradicts more than the others")]


def _contradicting(
    caller: CallerLabels, callers: Sequence[CallerLabels], settings: LabelGuardsConfig
) -> GuardResult | None:
    """Compare one caller with the others by the exact conditional test of two Poisson rates.

    Given the contradictions of all, those of one caller are binomial with its share of the expected ones
    (Przyborowski and Wilenski 1940). Bonferroni's correction covers all callers.
    """
    from scipy.special import betainc

    others = [other for other in callers if other.caller != caller.caller]
    expected = sum(other.expected for other in others)
    n_others = sum(other.n_contradictions for other in others)
    if not expected or not caller.expected or not caller.n_contradictions:
        return None
    rate = caller.n_contradictions / caller.n_confident
    ratio, ratio_of_others = caller.n_contradictions / caller.expected, n_others / expected
    share = caller.expected / (caller.expected + expected)
    p_value = float(betainc(caller.n_contradictions, n_others + 1, share))
    is_beyond = ratio >= _MIN_RATIO * ratio_of_others and p_value < _FALSE_ALARM_RATE / len(callers)
    _, highest = wilson_interval(rate, caller.n_confident, _QUANTILE)
    if highest < settings.max_contradictions or not is_beyond:
        return None
    rows = pluralize(caller.n_confident, "confident prediction")
    return GuardResult(
        "contradictions",
        "hold",
        f"{_name(caller.caller)} contradicts {percent(rate)} of {rows},"
        f" {ratio:.1f} times the number that these rows let expect, and the other callers {ratio_of_others:.1f} times;"
        f" {_skip(caller)}",
        caller.caller,
    )


def _coverage(coverage: Mapping[str, tuple[int, int]]) -> GuardResult:
    """Each predicted class gets outcomes about as often as the others."""
    shares = {name: n_labels / n_rows for name, (n_rows, n_labels) in coverage.items() if n_rows}
    if len(shares) < 2:
        return GuardResult("coverage", "pass", "fewer than two classes were predicted")
    rarest, most = min(shares, key=lambda name: shares[name]), max(shares, key=lambda name: shares[name])
    finding = (
        f"{percent(shares[rarest])} of the predictions {rarest} have an outcome, and {percent(shares[most])} of {most}"
    )
    _, high = wilson_interval(shares[rarest], coverage[rarest][0], _QUANTILE)
    if high >= shares[most] * _MIN_COVERAGE_RATIO:
        return GuardResult("coverage", "pass", finding)
    return GuardResult("coverage", "hold", f"{finding}: outcomes depend on predictions; send outcomes of all classes")


def _name(caller: str) -> str:
    return f"caller {caller}" if caller else "a caller without a credential"


def _skip(caller: CallerLabels) -> str:
    listed = f'["{caller.caller}"]'
    return f"leave its labels out with lifecycle.retrain.labels.skip_callers: {listed}"
