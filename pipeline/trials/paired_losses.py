"""Score logged rows with champion and challenger, and sum the paired differences of their losses by hour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import ConfigError, DataError
from pipeline.metrics.labeled_predictions import LabeledPredictions
from pipeline.metrics.row_losses import ROW_LOSS_METRICS, row_losses_by_class
from pipeline.modeling.classifier import predicted_codes
from pipeline.monitoring.log.log_batch import DictionaryColumn, LogBatch, LogColumns
from pipeline.state import HOUR_US, TrialSums, TrialUnit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pipeline.package import Package
    from pipeline.state import ArrivedOutcome

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["ModelPair", "check_comparable", "sum_paired_differences"]

# Sums of multiples of a power of two are exact, so they do not depend on how the log was divided.
_RESOLUTION = float(1 << 30)
_RULE_BASELINE = "rule"


@dataclass(frozen=True, slots=True)
class ModelPair:
    """The packages of the champion and of the challenger.

    With `is_live` the challenger was scored beside the champion, and no logged row is scored again.
    """

    champion: Package
    challenger: Package
    is_live: bool = False

    @property
    def digests(self) -> tuple[str, ...]:
        """Digests of the packages whose predictions count."""
        return self.champion.digest, self.challenger.digest


def check_comparable(pair: ModelPair) -> None:
    """Check that both models predict the same classes, and that the log stores what both need to be scored again.

    A live pair is not scored again, so its columns may be stored in any way.

    Raises
    ------
    ConfigError
        When the classes differ, or the log does not store a feature of the challenger in full.
    """
    if pair.champion.classes != pair.challenger.classes:
        raise ConfigError(
            f"the challenger predicts {', '.join(pair.challenger.classes)}; expected the classes of the champion:"
            f" {', '.join(pair.champion.classes)}. Promote it without a trial: `mlops promote`"
        )
    missing = _columns_not_logged(pair.challenger, logged_by=pair.champion)
    if missing and not pair.is_live:
        raise ConfigError(
            f"columns {', '.join(missing)}: the log does not store them in full, so the challenger cannot be scored on"
            " logged rows; expected `store: full` in conf/data. Set it and train again, or start the trial with"
            " `--method live`"
        )


def _columns_not_logged(package: Package, *, logged_by: Package) -> list[str]:
    """Return the features of a package that are not in rows which another package logged."""
    stored = {column.name for column in logged_by.schema.features if column.store == "full"}
    return [column.name for column in package.schema.features if column.name not in stored or column.store != "full"]


def sum_paired_differences(
    outcomes: Sequence[ArrivedOutcome], pair: ModelPair, *, split_share: float | None = None
) -> dict[TrialUnit, TrialSums]:
    """Return the sums that outcomes add to a trial, by metric and by the hour of their arrival.

    The difference of a row is the loss of the champion minus that of the challenger. A corrected outcome adds the
    difference under the new outcome and removes that under the earlier one. An outcome that is none of the classes
    adds nothing, and an hour with no others is no unit.

    Parameters
    ----------
    outcomes : sequence of ArrivedOutcome
    pair : ModelPair
    split_share : float, optional
        Share of the requests that the challenger responded to. Rows then weigh such that those of either model count
        half: an outcome may depend on the response. This is the difference between the two arms of the split, with the
        mean loss of both models on a row as covariate.
    """
    classes = set(pair.champion.classes)
    changing = [outcome for outcome in outcomes if outcome.outcome in classes or outcome.earlier in classes]
    scorable = [outcome for outcome in changing if _is_scorable(outcome, pair)]
    if not scorable:
        return {}
    champion, challenger = (_score(scorable, package) for package in (pair.champion, pair.challenger))
    weights = _round(np.array([outcome.weight * _arm_weight(outcome, pair, split_share) for outcome in scorable]))
    new, earlier = (
        DictionaryColumn.encode(texts).codes_among(pair.champion.classes)
        for texts in ((outcome.outcome for outcome in scorable), (outcome.earlier for outcome in scorable))
    )
    n_added = (new >= 0).astype(np.int64) - (earlier >= 0)
    n_disagreements = n_added * (champion.predicted != challenger.predicted)
    moments = np.array([outcome.received_at for outcome in scorable], dtype=np.int64)
    hours, groups = np.unique(moments - moments % HOUR_US, return_inverse=True)
    sums: dict[TrialUnit, TrialSums] = {}
    for metric in ROW_LOSS_METRICS:
        differences = (row_losses_by_class(champion, metric) - row_losses_by_class(challenger, metric)) * weights[
            :, None
        ]
        change = _of_class(differences, new) - _of_class(differences, earlier)
        squares = _of_class(differences**2, new) - _of_class(differences**2, earlier)
        columns = [_sum_by(groups, values, len(hours)) for values in (n_added, n_added * weights, change, squares)]
        disagreements = _sum_by(groups, n_disagreements, len(hours))
        for i, hour in enumerate(hours.tolist()):
            n_rows, weight, total, total_squares = (float(column[i]) for column in columns)
            sums[TrialUnit(metric, hour)] = TrialSums(int(n_rows), weight, total, total_squares, int(disagreements[i]))
    return sums


def _arm_weight(outcome: ArrivedOutcome, pair: ModelPair, split_share: float | None) -> float:
    if split_share is None:
        return 1.0
    return 0.5 / (split_share if outcome.digest == pair.challenger.digest else 1.0 - split_share)


def _is_scorable(outcome: ArrivedOutcome, pair: ModelPair) -> bool:
    """Whether there is, or can be, a prediction of the model that did not predict the row."""
    if pair.is_live:
        is_champions = (outcome.digest, outcome.served_by) == (pair.champion.digest, "production")
        return is_champions and outcome.shadow is not None
    if outcome.digest == pair.challenger.digest:
        return not _columns_not_logged(pair.champion, logged_by=pair.challenger)
    return True


def _score(outcomes: Sequence[ArrivedOutcome], package: Package) -> LabeledPredictions:
    """Return the predictions of a package: those it made for the rows, and new ones elsewhere."""
    own = [_own_probabilities(row, package) for row in outcomes]
    is_own = np.array([text is not None for text in own])
    target, probabilities = package.schema.target, np.zeros((len(outcomes), len(package.classes)))
    predicted = np.zeros(len(outcomes), dtype=np.int64)
    for positions, is_logged in ((np.flatnonzero(is_own), True), (np.flatnonzero(~is_own), False)):
        if len(positions):
            rows = [outcomes[i]._replace(probabilities=own[i] or "") for i in positions.tolist()]
            batch = LogBatch(_log_columns(rows), package)
            probabilities[positions] = batch.probabilities() if is_logged else _predict(batch)
            threshold = (
                package.threshold
                if not package.has_group_thresholds
                else package.row_thresholds(batch.feature_values())
            )
            predicted[positions] = predicted_codes(probabilities[positions], target, threshold)
    return LabeledPredictions(
        y=np.zeros(len(outcomes), dtype=np.int64),
        probabilities=probabilities,
        predicted=predicted,
        positive=None if target.positive is None else target.classes.index(target.positive),
    )


def _own_probabilities(outcome: ArrivedOutcome, package: Package) -> str | None:
    """Return the probabilities that a package predicted for a row: in the log, or beside it; None without any."""
    if outcome.digest != package.digest:
        return outcome.shadow
    return None if outcome.served_by == _RULE_BASELINE else outcome.probabilities


def _predict(batch: LogBatch) -> Floats:
    """Return new probabilities of logged rows.

    Raises
    ------
    DataError
        When a value is not of the kind that the package declares.
    """
    try:
        values = batch.feature_values()
    except (TypeError, ValueError) as error:
        raise DataError(f"prediction log: a value has another kind than the package declares ({error})") from error
    return batch.package.predict_proba(values)


def _log_columns(outcomes: Sequence[ArrivedOutcome]) -> LogColumns:
    """Return the columns that scoring reads; the others are empty."""
    none = np.zeros(0, dtype=np.int64)
    empty = DictionaryColumn((), none)
    return LogColumns(
        predicted_at=none,
        features=DictionaryColumn.encode(outcome.features for outcome in outcomes),
        prediction=empty,
        probabilities=DictionaryColumn.encode(outcome.probabilities for outcome in outcomes),
        confidence=np.zeros(0),
        latency_us=none,
        outcome=empty,
    )


def _of_class(values: Floats, codes: Ints) -> Floats:
    """Return the value of a class of each row in multiples of the resolution; 0 for the code -1."""
    return _round(np.where(codes >= 0, values[np.arange(len(values)), codes], 0.0))


def _round(values: Floats) -> Floats:
    """Return values in multiples of the resolution."""
    return np.asarray(np.rint(values * _RESOLUTION) / _RESOLUTION)


def _sum_by(groups: Ints, values: NDArray[np.float64] | Ints, n_groups: int) -> Floats:
    return np.asarray(np.bincount(groups, weights=values, minlength=n_groups))
