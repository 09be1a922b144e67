"""Log and outcomes alone give the bytes of a stored verdict, also after a backup is restored."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from sqlalchemy import text

from pipeline import state as store
from pipeline.state import LoopContext
from pipeline.trials import advance_trials, replay_verdict
from tests.fixtures.toy_dataset import settings
from tests.pipeline.monitoring.log_fixtures import MODEL_NAME, NOW
from tests.pipeline.trials.trial_fixtures import (
    add_outcomes,
    lifecycle_settings,
    log_with_outcomes,
    open_trial,
    package_store,
    state_at,
)

if TYPE_CHECKING:
    from pathlib import Path


def _lose(root: Path) -> int:
    """Decide a trial after two updates and a correction, and return its number."""
    rows = log_with_outcomes(root, 120)
    config = lifecycle_settings(
        trial_min_units=5, trial_min_outcomes=20, trial_test="non_inferiority", trial_margin=1.0
    )
    trial = open_trial(root, config)
    whole = settings().model_copy(update={"lifecycle": lifecycle_settings()})
    add_outcomes(root, [(name, NOW - 3 * store.HOUR_US, "Extrovert") for name in rows["prediction_id"][:20]])
    with state_at(root) as state:
        advance_trials(LoopContext(state, whole, root, now=NOW, mode="advise"))
    add_outcomes(root, [(name, NOW - 2 * store.HOUR_US, "Introvert") for name in rows["prediction_id"][:20]])
    return trial.seq


def test_a_verdict_is_replayed_byte_by_byte_from_a_restored_backup(project: Path, tmp_path: Path) -> None:
    seq = _lose(project)
    with (
        state_at(project) as state,
        closing(store.connect_to(f"sqlite:///{tmp_path}/copy.db", setting_name="x")) as copy,
    ):
        store.copy_state(state, copy, actor="ada", partition_days=1, on_progress=lambda *_: None)
        replay = replay_verdict(copy, package_store(project), seq)
        with copy.reading() as connection:
            assert store.read_trials(connection, MODEL_NAME)[0].evidence["verdict"] == replay.stored
    assert replay.stored["verdict"] == "won"
    assert replay.is_equal, replay.differences


def test_an_outcome_that_was_removed_is_found(project: Path) -> None:
    seq = _lose(project)
    with state_at(project) as state:
        with state.writing() as connection:
            connection.execute(text("DELETE FROM outcomes WHERE seq = 30"))
        replay = replay_verdict(state, package_store(project), seq)
    assert not replay.is_equal
    assert any(difference.startswith("n_outcomes: stored ") for difference in replay.differences)


def test_a_trial_without_a_decision_is_replayed_up_to_its_sums(project: Path) -> None:
    log_with_outcomes(project, 60)
    seq = open_trial(project).seq
    with state_at(project) as state:
        replay = replay_verdict(state, package_store(project), seq)
    assert (replay.is_equal, replay.stored["n_outcomes"]) == (True, 0)
