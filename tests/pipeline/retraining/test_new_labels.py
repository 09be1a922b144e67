"""New labels are divided by the number of the prediction: the newest are fresh, and no snapshot holds them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline import state as store
from pipeline.retraining.new_labels import last_snapshot, read_fresh_rows, read_new_labels
from tests.pipeline.monitoring.log_fixtures import MODEL_NAME, production_package
from tests.pipeline.retraining.retrain_fixtures import context_of, log_labels

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.state import RetrainState


def retrain(until: int | None, state: RetrainState = "refused") -> store.Retrain:
    return store.Retrain("m", "person", 1, "ada", 1, state=state, until_prediction=until, until_outcome=100)


def test_fresh_rows_are_those_after_the_last_learned_one(project: Path) -> None:
    log_labels(project, 100)
    schema = production_package(project)[0].schema
    with context_of(project) as context:
        labels = read_new_labels(context.state, schema, model=MODEL_NAME, retrains=(), skip_callers=())
        learned = labels.last_learned(0.3)
        asked = replace(retrain(learned), model=MODEL_NAME)
        fresh = read_fresh_rows(context.state, schema, asked, skip_callers=())
        assert (labels.n_labels, learned, len(fresh)) == (100, 70, 30)
        newer = read_new_labels(context.state, schema, model=MODEL_NAME, retrains=(asked,), skip_callers=())
        assert newer.n_labels == 30


def test_a_snapshot_counts_unless_its_retrain_failed_or_was_discarded() -> None:
    assert last_snapshot([]) == 0
    assert last_snapshot([retrain(70), retrain(90, "failed"), retrain(95, "discarded"), retrain(None)]) == 70
