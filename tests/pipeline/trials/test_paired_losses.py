"""Differences follow from the classes of an outcome and of the one before it, for models that the log can score."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pytest

from pipeline.errors import ConfigError
from pipeline.metrics.row_losses import ROW_LOSS_METRICS
from pipeline.state import HOUR_US, ArrivedOutcome, TrialUnit
from pipeline.trials.paired_losses import check_comparable, sum_paired_differences
from tests.pipeline.monitoring.log_fixtures import live_rows

if TYPE_CHECKING:
    from pipeline.package import Package
    from pipeline.trials import ModelPair

    StorePolicy = Literal["full", "bin", "hash", "drop"]


def _storing(package: Package, policy: StorePolicy) -> tuple[Package, str]:
    """Return a package whose log stores its first feature by another policy, and the name of the feature."""
    name = package.schema.feature_names[0]
    columns = tuple(
        replace(column, store=policy) if column.name == name else column for column in package.schema.columns
    )
    return replace(package, schema=replace(package.schema, columns=columns)), name


@pytest.mark.parametrize(("policy", "side"), [("bin", "champion"), ("hash", "challenger"), ("drop", "champion")])
def test_a_column_that_is_not_stored_in_full_is_named(pair: ModelPair, policy: StorePolicy, side: str) -> None:
    package, name = _storing(getattr(pair, side), policy)
    with pytest.raises(ConfigError, match=rf"columns {name}: the log does not store them.*`store: full`"):
        check_comparable(replace(pair, **{side: package}))


def _outcome(pair: ModelPair, **changes: Any) -> ArrivedOutcome:
    """Return the first outcome of a row that the champion predicted."""
    row = live_rows(1)
    champion = pair.champion
    features = json.loads(row[list(champion.schema.feature_names)].to_json(orient="records"))[0]
    shares = dict(zip(champion.classes, champion.predict_proba(row)[0].tolist(), strict=True))
    values = (1, 5 * HOUR_US + 7, champion.classes[0], None, champion.digest, "production")
    return ArrivedOutcome(*values, json.dumps(features), json.dumps(shares), 1.0)._replace(**changes)


@pytest.mark.parametrize("policy", ["bin", "hash", "drop"])
def test_a_live_pair_needs_no_logged_column(pair: ModelPair, policy: StorePolicy) -> None:
    package, _ = _storing(pair.challenger, policy)
    check_comparable(replace(pair, challenger=package, is_live=True))


def test_a_live_pair_counts_what_the_challenger_predicted_beside_the_champion(pair: ModelPair) -> None:
    shares = dict(zip(pair.challenger.classes, pair.challenger.predict_proba(live_rows(1))[0].tolist(), strict=True))
    live = replace(pair, is_live=True)
    shadowed = _outcome(pair, shadow=json.dumps(shares), features="{}")
    assert sum_paired_differences([shadowed], live) == sum_paired_differences([_outcome(pair)], pair)


@pytest.mark.parametrize("changes", [{}, {"shadow": "{}", "served_by": "rule"}, {"shadow": "{}", "digest": "0" * 64}])
def test_a_live_pair_skips_rows_without_a_prediction_of_each(pair: ModelPair, changes: dict[str, str]) -> None:
    assert sum_paired_differences([_outcome(pair, **changes)], replace(pair, is_live=True)) == {}


@pytest.mark.parametrize("metric", ROW_LOSS_METRICS)
def test_a_row_adds_the_loss_of_the_champion_minus_that_of_the_challenger(pair: ModelPair, metric: str) -> None:
    rows = live_rows(1)
    losses = []
    for package in (pair.champion, pair.challenger):
        share = package.predict_proba(rows)[0, 0]
        is_wrong = package.predict(rows)[0] != package.classes[0]
        losses.append({"log_loss": -np.log(share), "brier": (1 - share) ** 2, "accuracy": float(is_wrong)}[metric])
    sums = sum_paired_differences([_outcome(pair)], pair)[TrialUnit(metric, 5 * HOUR_US)]
    assert (sums.n_rows, sums.weight) == (1, 1.0)
    assert sums.sum == pytest.approx(losses[0] - losses[1], abs=1e-8)
    assert sums.sum_squares == pytest.approx((losses[0] - losses[1]) ** 2, abs=1e-8)


@pytest.mark.parametrize("digest_of", ["champion", "challenger"])
def test_the_sums_are_the_same_whoever_predicted_the_row(pair: ModelPair, digest_of: str) -> None:
    package = getattr(pair, digest_of)
    shares = dict(zip(package.classes, package.predict_proba(live_rows(1))[0].tolist(), strict=True))
    outcome = _outcome(pair, digest=package.digest, probabilities=json.dumps(shares))
    by_log, replayed = (sum_paired_differences([row], pair) for row in (outcome, outcome._replace(served_by="rule")))
    assert by_log == replayed == sum_paired_differences([_outcome(pair)], pair)


def test_a_corrected_outcome_removes_what_the_earlier_one_added(pair: ModelPair) -> None:
    first, second = pair.champion.classes
    unit = TrialUnit("log_loss", 5 * HOUR_US)
    added = sum_paired_differences([_outcome(pair, outcome=first)], pair)[unit]
    change = sum_paired_differences([_outcome(pair, outcome=second, earlier=first)], pair)[unit]
    assert added + change == sum_paired_differences([_outcome(pair, outcome=second)], pair)[unit]
    assert (change.n_rows, change.weight, change.n_disagreements) == (0, 0.0, 0)


def test_rows_of_either_arm_of_a_split_count_half(pair: ModelPair) -> None:
    of_champion = [_outcome(pair)] * 8
    of_challenger = [_outcome(pair, digest=pair.challenger.digest, served_by="rule")] * 2
    unit = TrialUnit("log_loss", 5 * HOUR_US)
    both = [sum_paired_differences(rows, pair, split_share=0.2)[unit] for rows in (of_champion, of_challenger)]
    assert [sums.weight for sums in both] == [5.0, 5.0]
    assert [sums.sum for sums in both] == pytest.approx(
        [5 * sum_paired_differences([_outcome(pair)], pair)[unit].sum] * 2
    )


def test_an_outcome_of_no_class_adds_no_unit(pair: ModelPair) -> None:
    assert sum_paired_differences([_outcome(pair, outcome="neither")], pair) == {}


def test_classes_of_another_problem_are_refused(pair: ModelPair) -> None:
    target = replace(pair.challenger.schema.target, classes=("yes", "no"), positive="yes")
    other = replace(pair.challenger, schema=replace(pair.challenger.schema, target=target))
    with pytest.raises(ConfigError, match="the challenger predicts yes, no; expected the classes of the champion"):
        check_comparable(replace(pair, challenger=other))
