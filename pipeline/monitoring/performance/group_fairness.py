"""Compare the groups of protected columns on live predictions with known outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.fairness import FairnessReport, Grouping, GroupTallies, assess_fairness, protected_columns
from pipeline.metrics import LabeledPredictions
from pipeline.monitoring.log.log_batch import LogBatch
from pipeline.monitoring.log.rollup_layout import OUTCOMES, RollupLayout
from pipeline.monitoring.log.sampling_weights import thin_to_equal_weight
from pipeline.monitoring.performance.performance_report import EffectiveTallies

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.config.groups.fairness_config import FairnessConfig
    from pipeline.monitoring.log.log_window import WindowTallies
    from pipeline.package import Package
    from pipeline.state import LoggedRow

__all__ = ["assess_logged_rows", "assess_window"]

_MAX_EXACT_ROWS = 20_000  # up to so many outcomes, groups are compared row by row


def assess_window(tallies: WindowTallies, package: Package, config: FairnessConfig, *, seed: int) -> FairnessReport:
    """Return the groups of the outcomes that one package has in a window.

    Up to 20,000 outcomes are read row by row. More come from the roll-ups, which hold neither log losses nor pairs
    of columns.

    Parameters
    ----------
    tallies : WindowTallies
        Of a log with roll-ups up to date.
    package : Package
    config : FairnessConfig
    seed : int
        Of the thinning of rows with unequal sampling weights.
    """
    if not protected_columns(package.schema):
        return assess_fairness([], package.schema.target, config)
    outcomes = EffectiveTallies(tallies).effective(RollupLayout(package), OUTCOMES)
    if round(outcomes.n_rows) <= _MAX_EXACT_ROWS:
        rows = [row for row in tallies.log.rows(tallies.window) if row.digest == package.digest]
        known = [row for row in rows if row.outcome in package.classes and row.prediction in package.classes]
        return assess_logged_rows(thin_to_equal_weight(known, seed=seed), package, config)
    layout, k = RollupLayout(package), len(package.classes)
    parts = layout.split_section(OUTCOMES, outcomes.counts)
    groups = [
        GroupTallies((bins.name,), bins.labels, parts[bins.name].reshape(-1, k, k).transpose(0, 2, 1))
        for bins in layout.reference.columns
        if package.schema.column(bins.name).protected
    ]
    skipped = _skipped(layout) | {
        " and ".join(pair): "the roll-ups of more than 20,000 outcomes hold no pairs; choose a shorter window"
        for pair in config.pairs
    }
    return assess_fairness(groups, package.schema.target, config, skipped=skipped)


def assess_logged_rows(rows: Sequence[LoggedRow], package: Package, config: FairnessConfig) -> FairnessReport:
    """Return the groups of logged rows that one package predicted, and whose outcomes are classes of it."""
    layout, target = RollupLayout(package), package.schema.target
    if not rows:
        return assess_fairness([], target, config, skipped={"outcomes": "no prediction of the window has one"})
    batch = LogBatch.from_rows(rows, package)
    scored = LabeledPredictions(
        y=batch.columns.outcome.codes_among(package.classes),
        probabilities=batch.probabilities(),
        predicted=batch.columns.prediction.codes_among(package.classes),
        positive=None if target.positive is None else target.classes.index(target.positive),
    )
    codes = batch.feature_codes(layout.reference)
    by_name = {
        bins.name: Grouping((bins.name,), bins.labels, layout.coarsen_codes(bins, codes[bins.name]))
        for bins in layout.reference.columns
        if package.schema.column(bins.name).protected
    }
    crossed = [by_name[left].crossed(by_name[right]) for left, right in config.pairs if {left, right} <= set(by_name)]
    groups = [_tally(grouping, scored) for grouping in (*by_name.values(), *crossed)]
    return assess_fairness(groups, target, config, skipped=_skipped(layout))


def _tally(grouping: Grouping, scored: LabeledPredictions) -> GroupTallies:
    """Return the tallies of the rows whose group is known: a logged value of another kind has none."""
    known = np.flatnonzero(grouping.codes >= 0)
    if len(known) == len(grouping.codes):
        return GroupTallies.from_rows(grouping, scored)
    k = scored.n_classes
    if not len(known):
        return GroupTallies(grouping.columns, grouping.labels, np.zeros((len(grouping.labels), k, k)))
    return GroupTallies.from_rows(grouping.take(known), scored.take(known))


def _skipped(layout: RollupLayout) -> dict[str, str]:
    """Return the reason by protected column that the log cannot divide into groups."""
    known = {bins.name for bins in layout.reference.columns}
    reasons = {}
    for column in protected_columns(layout.package.schema):
        if column.role != "feature":
            reasons[column.name] = "is no feature, and the prediction log holds features only"
        elif column.name not in known:
            reasons[column.name] = f"the prediction log has no groups of it (store: {column.store})"
    return reasons
