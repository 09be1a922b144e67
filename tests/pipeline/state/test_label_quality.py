"""The guards of a retrain see corrected outcomes, and outcomes by predicted class."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline import state as store
from pipeline.state.label_quality import corrected_predictions, count_labeled_rows, count_outcomes_by_prediction
from tests.pipeline.monitoring.log_fixtures import MODEL_NAME
from tests.pipeline.retraining.retrain_fixtures import context_of, log_labels

if TYPE_CHECKING:
    from pathlib import Path


def test_corrections_and_coverage_count_the_wanted_rows_alone(project: Path) -> None:
    log_labels(project, 20)
    with context_of(project) as context:
        wanted = store.LabeledRows(MODEL_NAME, until_prediction=20, until_outcome=20)
        with context.state.reading() as connection:
            rows = store.read_labeled_rows(connection, wanted)
        first, second = rows[0], rows[1]
        other = next(row.outcome for row in rows if row.outcome != first.outcome)
        with context.state.writing() as connection:
            again = [(first.prediction_id, 1, other, "test"), (second.prediction_id, 1, second.outcome, "test")]
            store.add_outcomes(connection, again, caller="eve")
        later = replace(wanted, until_outcome=22)
        with context.state.reading() as connection:
            assert corrected_predictions(connection, wanted) == set()
            assert corrected_predictions(connection, later) == {first.prediction_id}
            assert corrected_predictions(connection, replace(later, skip_callers=("eve",))) == set()
            assert count_labeled_rows(connection, replace(wanted, skip_callers=("ada",))) == 10
            coverage = count_outcomes_by_prediction(connection, replace(wanted, skip_callers=("ada",)))
        assert sum(n for n, _ in coverage.values()) == 20
        assert sum(n for _, n in coverage.values()) == 10
