"""The counts of a package have their places in the vectors of its roll-ups."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.monitoring.log.bin_counts import count_frame
from pipeline.monitoring.log.log_batch import LogColumns
from pipeline.monitoring.log.rollup_layout import FEATURES, OUTCOMES, PREDICTIONS, RollupLayout, latency_quantile
from pipeline.state import LoggedRow
from tests.pipeline.monitoring.log_fixtures import NOW, live_rows, plain_counts, production_package

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from pipeline.package import Package

N_ROWS = 300


def logged_columns(package: Package, frame: pd.DataFrame, outcomes: list[str | None]) -> LogColumns:
    features = json.loads(frame[list(package.schema.feature_names)].to_json(orient="records"))
    probabilities, predicted = package.predict_proba(frame), package.predict(frame)
    rows = [
        LoggedRow(
            seq=i,
            predicted_at=NOW + i,
            digest=package.digest,
            source="api",
            version=1,
            features=json.dumps(features[i]),
            prediction=str(predicted[i]),
            probabilities=json.dumps(dict(zip(package.classes, probabilities[i].tolist(), strict=True))),
            confidence=float(probabilities[i].max()),
            latency_us=1_000 * (i + 1),
            weight=1.0,
            outcome=outcomes[i],
        )
        for i in range(len(frame))
    ]
    return LogColumns.from_rows(rows)


def test_tallies_have_the_bin_counts_of_the_frame(project: Path) -> None:
    package, _ = production_package(project)
    frame, layout = live_rows(N_ROWS), RollupLayout(package)
    columns = logged_columns(package, frame, [None] * N_ROWS)
    tallies = layout.tally_by_section(columns, np.zeros(N_ROWS, dtype=np.int64), 1)
    probabilities = package.predict_proba(frame)
    expected = count_frame(
        layout.reference,
        frame,
        n_rows=N_ROWS,
        score=probabilities[:, package.classes.index(package.schema.target.positive)],
        confidence=probabilities.max(axis=1),
        predicted=package.predict(frame),
    )
    counts = layout.bin_counts(tallies[FEATURES][0], tallies[PREDICTIONS][0])
    assert (counts.n_rows, plain_counts(counts)) == (N_ROWS, plain_counts(expected))
    assert tallies[PREDICTIONS][0].confidence_sum == pytest.approx(probabilities.max(axis=1).sum())
    assert tallies[OUTCOMES][0].n_rows == 0


def test_tallies_of_groups_add_up_to_those_of_all_rows(project: Path) -> None:
    package, _ = production_package(project)
    frame, layout = live_rows(N_ROWS), RollupLayout(package)
    outcomes = [package.classes[i % 2] if i % 3 else None for i in range(N_ROWS)]
    columns = logged_columns(package, frame, outcomes)
    whole = layout.tally_by_section(columns, np.zeros(N_ROWS, dtype=np.int64), 1)
    parts = layout.tally_by_section(columns, np.arange(N_ROWS) % 4, 4)
    for section, (tally,) in whole.items():
        total = sum(parts[section], layout.empty_tally(section))
        assert (total.n_rows, total.counts.tolist()) == (tally.n_rows, tally.counts.tolist())
        assert len(tally.counts) == layout.section_length(section)


def test_outcomes_are_counted_by_predicted_class_in_every_column(project: Path) -> None:
    package, _ = production_package(project)
    frame, layout = live_rows(N_ROWS), RollupLayout(package)
    outcomes = [package.classes[i % 2] if i % 3 else None for i in range(N_ROWS)]
    columns = logged_columns(package, frame, outcomes)
    (tally,) = layout.tally_outcomes(columns, np.zeros(N_ROWS, dtype=np.int64), 1)
    confusion = np.zeros((2, 2), dtype=np.int64)
    for label, outcome in zip(package.predict(frame), outcomes, strict=True):
        if outcome is not None:
            confusion[package.classes.index(label), package.classes.index(outcome)] += 1
    assert tally.n_rows == confusion.sum() == N_ROWS - N_ROWS // 3
    for table in layout.split_section(OUTCOMES, tally.counts).values():
        assert table.reshape(-1, 2, 2).sum(axis=0).tolist() == confusion.tolist()


@pytest.mark.parametrize("share", [0.01, 0.5, 0.95, 1.0])
def test_a_latency_quantile_is_within_2_5_percent(project: Path, share: float) -> None:
    package, _ = production_package(project)
    layout = RollupLayout(package)
    columns = logged_columns(package, live_rows(N_ROWS), [None] * N_ROWS)
    (tally,) = layout.tally_by_section(columns, np.zeros(N_ROWS, dtype=np.int64), 1)[PREDICTIONS]
    exact = float(np.quantile(np.arange(1, N_ROWS + 1), share, method="inverted_cdf"))
    latency = latency_quantile(layout.split_section(PREDICTIONS, tally.counts)["latency"], share)
    assert latency == pytest.approx(exact, rel=0.025)


def test_no_rows_have_no_latency() -> None:
    assert latency_quantile(np.zeros(5, dtype=np.int64), 0.5) is None
