"""Log days of simulated predictions whose last hours drift, with most of their outcomes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline import state as store
from pipeline.monitoring.log.prediction_record import make_prediction_row
from pipeline.simulation.drift_injection import apply_drift, plan_drift_injections
from pipeline.state import HOUR_US, PredictionWriter

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.config.groups.scenario_config import ScenarioConfig
    from pipeline.monitoring.log.prediction_record import MonitoredVersion
    from pipeline.package import Package
    from pipeline.state import PredictionRow, State

__all__ = ["log_demo_traffic"]

_CALM_HOURS, _DRIFTED_HOURS = 66, 6
_OUTCOME_SHARE = 0.7
_OUTCOME_DELAY_US = HOUR_US
_FLIPPED_SHARE = 0.12  # of the outcomes in the drifted hours, so that metrics fall too
_MEDIAN_LATENCY_US = 1_500


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows to log, with their classes and moments."""

    frame: pd.DataFrame
    truths: list[str]
    moments: list[int]


def log_demo_traffic(
    state: State,
    monitored: MonitoredVersion,
    rows: pd.DataFrame,
    *,
    scenario: ScenarioConfig,
    rows_per_hour: int,
    now: int,
) -> int:
    """Log three days that end at `now` (microseconds since 1970, UTC), and return the number of predictions.

    Parameters
    ----------
    state : State
        The database of the copy.
    monitored : MonitoredVersion
        The version in Production.
    rows : DataFrame
        Labeled rows to sample from, such as the test rows.
    scenario : ScenarioConfig
        The changes of its last phase are those of the last six hours.
    rows_per_hour : int
        Of the days without drift; the last six hours have twice as many.
    now : int
    """
    rng = np.random.default_rng(scenario.seed)
    package = monitored.package
    drift_at = now - _DRIFTED_HOURS * HOUR_US
    injections = plan_drift_injections(scenario.phases[-1].changes, package.schema, rows)
    calm = _sample(rows, package, _CALM_HOURS * rows_per_hour, (drift_at - _CALM_HOURS * HOUR_US, drift_at), rng)
    drifted = _sample(rows, package, _DRIFTED_HOURS * 2 * rows_per_hour, (drift_at, now), rng)
    drifted = replace(drifted, frame=apply_drift(drifted.frame, injections, rng))
    logged = [*_predict(calm, monitored, "calm", rng), *_predict(drifted, monitored, "drifted", rng)]
    writer = PredictionWriter(state)
    try:
        writer.write(logged)
    finally:
        writer.close()
    outcomes = [
        *_outcomes(calm, "calm", package.classes, rng, flipped_share=0.0, now=now),
        *_outcomes(drifted, "drifted", package.classes, rng, flipped_share=_FLIPPED_SHARE, now=now),
    ]
    with state.writing() as connection:
        store.add_outcomes(connection, outcomes)
    return len(logged)


def _sample(rows: pd.DataFrame, package: Package, n: int, bounds: tuple[int, int], rng: np.random.Generator) -> _Rows:
    sampled = rows.iloc[rng.integers(0, len(rows), n)].reset_index(drop=True)
    since, until = bounds
    moments = np.sort(since + (rng.random(n) * (until - since)).astype(np.int64))
    truths = sampled[package.schema.target.column].astype(str).tolist()
    return _Rows(sampled[list(package.schema.feature_names)], truths, moments.tolist())


def _predict(rows: _Rows, monitored: MonitoredVersion, prefix: str, rng: np.random.Generator) -> list[PredictionRow]:
    package = monitored.package
    probabilities = package.predict_proba(rows.frame)
    predicted = [str(label) for label in package.predict(rows.frame)]
    latencies = (_MEDIAN_LATENCY_US * np.exp(0.4 * rng.standard_normal(len(predicted)))).astype(int).tolist()
    positions = {name: position for position, name in enumerate(package.classes)}
    records: Any = rows.frame.astype(object).to_dict("records")
    return [
        make_prediction_row(
            monitored,
            label,
            record,
            confidence=float(row[positions[label]]),
            prediction_id=f"demo-{prefix}-{number}",
            predicted_at=at,
        )._replace(latency_us=latency)
        for number, (label, record, row, at, latency) in enumerate(
            zip(predicted, records, probabilities, rows.moments, latencies, strict=True)
        )
    ]


def _outcomes(
    rows: _Rows,
    prefix: str,
    classes: tuple[str, ...],
    rng: np.random.Generator,
    *,
    flipped_share: float,
    now: int,
) -> list[tuple[str, int, str, str]]:
    """Return the outcomes that arrived until `now`."""
    outcomes = []
    for number, (truth, at) in enumerate(zip(rows.truths, rows.moments, strict=True)):
        is_sent, is_flipped = rng.random() < _OUTCOME_SHARE, rng.random() < flipped_share
        if is_sent:
            label = next(name for name in classes if name != truth) if is_flipped else truth
            outcomes.append((f"demo-{prefix}-{number}", min(at + _OUTCOME_DELAY_US, now), label, "demo"))
    return outcomes
