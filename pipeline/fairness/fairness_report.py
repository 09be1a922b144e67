"""Assess every group of every protected column, by each declared metric, with one error rate for all of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.fairness.group_comparison import (
    FairnessVerdict,
    IntervalComparison,
    MeanSample,
    RateSample,
    compare_means,
    compare_rates,
)
from pipeline.metrics import round_significant

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from pipeline.config.groups.fairness_config import FairnessConfig, FairnessMetricName
    from pipeline.fairness.group_tallies import GroupTallies
    from pipeline.schema import Target

__all__ = ["ColumnFairness", "FairnessReport", "GroupFinding", "GroupMetric", "assess_fairness"]

_SEVERITY: tuple[FairnessVerdict, ...] = ("pass", "not_enough_data", "watch", "fail")


@dataclass(frozen=True, slots=True)
class GroupMetric:
    """One metric of one group, compared with all other rows.

    Attributes
    ----------
    metric : str
    of_class : str or None
        The class that a rate is of; None for a metric of all classes.
    value, others : float or None
        The metric of the group and of all other rows; None without rows.
    n_rows : float
        Rows that the value is of: those of the group, or those of one true class.
    effect, low, high : float or None
        Ratio or gap with its bounds; None where it was not compared.
    limit : float
    is_ratio : bool
        Whether `effect`, `limit` and `smallest_visible` are ratios (1 is no difference) or gaps (0 is none).
    smallest_visible : float or None
        The smallest effect that these rows would place beyond the limit.
    verdict : str
    """

    metric: str
    of_class: str | None
    value: float | None
    others: float | None
    n_rows: float
    effect: float | None
    low: float | None
    high: float | None
    limit: float
    is_ratio: bool
    smallest_visible: float | None
    verdict: FairnessVerdict


@dataclass(frozen=True, slots=True)
class GroupFinding:
    """One group with its metrics."""

    group: str
    n_rows: float
    metrics: tuple[GroupMetric, ...]

    @property
    def verdict(self) -> FairnessVerdict:
        """The most severe verdict; `not_enough_data` is never a pass."""
        return _most_severe(metric.verdict for metric in self.metrics)


@dataclass(frozen=True, slots=True)
class ColumnFairness:
    """The groups of one protected column, or of a pair; `empty` are groups without rows."""

    columns: tuple[str, ...]
    groups: tuple[GroupFinding, ...]
    empty: tuple[str, ...]

    @property
    def verdict(self) -> FairnessVerdict:
        """The most severe verdict of its groups."""
        return _most_severe(group.verdict for group in self.groups)


@dataclass(frozen=True, slots=True)
class FairnessReport:
    """The groups of all protected columns.

    Attributes
    ----------
    columns : tuple of ColumnFairness
    n_rows : float
        Rows with a known class.
    n_comparisons : int
        Comparisons that share the error rate (Bonferroni).
    confidence_level : float
    gate : str
        Result of the gate when a group fails: `report`, `hold` or `fail`.
    suppress_below : int
        Smaller numbers of rows, and what is computed from them, are not shown.
    skipped : dict of str
        Reason by column that could not be assessed.
    mitigation : dict or None
        What training did for groups, its effect out of fold, and its budget.
    """

    columns: tuple[ColumnFairness, ...]
    n_rows: float
    n_comparisons: int
    confidence_level: float
    gate: str
    suppress_below: int
    skipped: dict[str, str]
    mitigation: dict[str, Any] | None = None

    @property
    def verdict(self) -> str:
        """The most severe verdict of all columns; `not_assessed` where no protected column was compared."""
        if not self.columns:
            return "not_assessed"
        return _most_severe(column.verdict for column in self.columns)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values with 10 significant digits; small numbers of rows are suppressed."""
        return {
            "verdict": self.verdict,
            "gate": self.gate,
            "n_rows": round_significant(self.n_rows),
            "n_comparisons": self.n_comparisons,
            "confidence_level": self.confidence_level,
            "skipped": self.skipped,
            "mitigation": self.mitigation,
            "columns": [
                {
                    "columns": list(column.columns),
                    "verdict": column.verdict,
                    "groups": [self._group_as_dict(group) for group in column.groups],
                    "empty": list(column.empty),
                }
                for column in self.columns
            ],
        }

    def _group_as_dict(self, group: GroupFinding) -> dict[str, Any]:
        return {
            "group": group.group,
            **self._shown_rows(group.n_rows),
            "verdict": group.verdict,
            "metrics": [self._metric_as_dict(metric, group) for metric in group.metrics],
        }

    def _metric_as_dict(self, metric: GroupMetric, group: GroupFinding) -> dict[str, Any]:
        is_hidden = min(metric.n_rows, group.n_rows) < self.suppress_below
        # The value of all others would give that of the group by a subtraction.
        hidden = {"value", "others", "effect", "low", "high", "smallest_visible"} if is_hidden else set()
        plain = {
            name: None if name in hidden else round_significant(value) if isinstance(value, float) else value
            for name, value in asdict(metric).items()
        }
        return {**plain, **self._shown_rows(metric.n_rows)}

    def _shown_rows(self, n_rows: float) -> dict[str, Any]:
        if n_rows < self.suppress_below:
            return {"n_rows": None, "n_rows_text": f"< {self.suppress_below}"}
        return {"n_rows": round(float(n_rows)), "n_rows_text": f"{round(float(n_rows)):,}"}


def assess_fairness(
    tallies: Sequence[GroupTallies],
    target: Target,
    config: FairnessConfig,
    *,
    skipped: dict[str, str] | None = None,
) -> FairnessReport:
    """Compare each group with all other rows by each declared metric.

    Parameters
    ----------
    tallies : sequence of GroupTallies
        One for each protected column and declared pair, all of the same rows.
    target : Target
        Rates are of the positive class; with more than two classes of each class against the rest.
    config : FairnessConfig
        The error rate `1 - confidence_level` is divided by the number of comparisons that have enough rows.
    skipped : dict of str, optional
        Reason by column that has no tallies.
    """
    from scipy.special import ndtri

    questions = [_questions(tally, target, config) for tally in tallies]
    n_comparisons = sum(_n_distinct(tally, asked) for tally, asked in zip(tallies, questions, strict=True))
    quantile = float(ndtri(1.0 - (1.0 - config.confidence_level) / max(n_comparisons, 1)))
    columns = tuple(_assess_column(tally, asked, quantile) for tally, asked in zip(tallies, questions, strict=True))
    return FairnessReport(
        columns=columns,
        n_rows=float(tallies[0].n_rows.sum()) if tallies else 0.0,
        n_comparisons=n_comparisons,
        confidence_level=config.confidence_level,
        gate=config.gate,
        suppress_below=config.suppress_below,
        skipped={} if skipped is None else dict(skipped),
    )


def _most_severe(verdicts: Iterable[FairnessVerdict]) -> FairnessVerdict:
    return max(verdicts, key=_SEVERITY.index, default="not_enough_data")


@dataclass(frozen=True, slots=True)
class _Question:
    """One metric of one group and of all other rows, before it is compared."""

    group: int
    metric: FairnessMetricName
    of_class: str | None
    sample: RateSample | MeanSample
    others: RateSample | MeanSample
    has_enough_rows: bool
    config: FairnessConfig

    def compare(self, quantile: float) -> IntervalComparison | None:
        """Return the comparison; None when one side has no rows."""
        if min(self.sample.n_rows, self.others.n_rows) <= 1:
            return None
        limit = self.config.metrics[self.metric]
        if isinstance(self.sample, RateSample) and isinstance(self.others, RateSample):
            return compare_rates(self.sample, self.others, limit=limit, quantile=quantile)
        if isinstance(self.sample, MeanSample) and isinstance(self.others, MeanSample):
            return compare_means(self.sample, self.others, limit=limit, quantile=quantile)
        raise AssertionError("both sides are samples of one kind")

    def result(self, quantile: float) -> GroupMetric:
        """Return the metric with its verdict; a group with too few rows has not enough data."""
        result, limit = self.compare(quantile), self.config.metrics[self.metric]
        is_decided = self.has_enough_rows and result is not None
        bound = limit.max_gap if limit.min_ratio is None else limit.min_ratio
        return GroupMetric(
            metric=self.metric,
            of_class=self.of_class,
            value=_value(self.sample),
            others=_value(self.others),
            n_rows=float(self.sample.n_rows),
            effect=None if result is None else result.effect,
            low=None if result is None else result.low,
            high=None if result is None else result.high,
            limit=0.0 if bound is None else bound,
            is_ratio=limit.min_ratio is not None,
            smallest_visible=None if result is None else _finite(result.smallest_visible),
            verdict=result.verdict if is_decided and result is not None else "not_enough_data",
        )


def _value(sample: RateSample | MeanSample) -> float | None:
    value = sample.rate if isinstance(sample, RateSample) else sample.mean
    return None if value is None else float(value)


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _questions(tally: GroupTallies, target: Target, config: FairnessConfig) -> list[_Question]:
    positive = target.positive
    codes = range(len(target.classes)) if positive is None else (target.classes.index(positive),)
    return [
        question
        for group in np.flatnonzero(tally.n_rows > 0).tolist()
        for metric in config.metrics
        for question in _group_questions(tally, group, metric, codes=codes, target=target, config=config)
    ]


def _group_questions(
    tally: GroupTallies,
    group: int,
    metric: FairnessMetricName,
    *,
    codes: Iterable[int],
    target: Target,
    config: FairnessConfig,
) -> Iterator[_Question]:
    if metric == "log_loss":
        if tally.loss_sums is not None:
            own_losses, other_losses = _mean_samples(tally, group)
            is_enough = min(own_losses.n_rows, other_losses.n_rows) >= config.min_rows
            yield _Question(group, metric, None, own_losses, other_losses, is_enough, config)
        return
    own = np.asarray(tally.confusion[group], dtype=np.float64)
    rest = np.asarray(tally.confusion.sum(axis=0), dtype=np.float64) - own
    for code in codes:
        samples = _rate_sample(metric, own, code), _rate_sample(metric, rest, code)
        is_enough = min(own.sum(), rest.sum()) >= config.min_rows and (
            min(sample.n_rows for sample in samples) >= config.min_class_rows
        )
        yield _Question(group, metric, target.classes[code], *samples, bool(is_enough), config)


def _rate_sample(metric: FairnessMetricName, confusion: NDArray[np.float64], code: int) -> RateSample:
    """Return the rate of one class, from rows by true and predicted class."""
    predicted, true = float(confusion[:, code].sum()), float(confusion[code].sum())
    hits, total = float(confusion[code, code]), float(confusion.sum())
    if metric == "selection_rate":
        return RateSample(predicted, total)
    return RateSample(hits, true) if metric == "true_positive_rate" else RateSample(predicted - hits, total - true)


def _mean_samples(tally: GroupTallies, group: int) -> tuple[MeanSample, MeanSample]:
    if tally.loss_sums is None:
        raise AssertionError("asked for tallies with losses only")
    own, everything = tally.loss_sums[group], tally.loss_sums.sum(axis=0)
    n, n_all = float(tally.n_rows[group]), float(tally.n_rows.sum())
    return MeanSample(own[0], own[1], n), MeanSample(everything[0] - own[0], everything[1] - own[1], n_all - n)


def _n_distinct(tally: GroupTallies, questions: Sequence[_Question]) -> int:
    """Return the number of different comparisons: of two groups, each is compared with the other."""
    n = sum(question.has_enough_rows for question in questions)
    return (n + 1) // 2 if int((tally.n_rows > 0).sum()) == 2 else n


def _assess_column(tally: GroupTallies, questions: Sequence[_Question], quantile: float) -> ColumnFairness:
    n_rows = tally.n_rows
    groups = tuple(
        GroupFinding(
            tally.labels[group],
            float(n_rows[group]),
            tuple(question.result(quantile) for question in questions if question.group == group),
        )
        for group in np.flatnonzero(n_rows > 0).tolist()
    )
    empty = tuple(label for label, n in zip(tally.labels, n_rows.tolist(), strict=True) if n == 0)
    return ColumnFairness(tally.columns, groups, empty)
