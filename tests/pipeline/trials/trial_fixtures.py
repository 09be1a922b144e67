"""A registered project with a log, its outcomes, and trials in it, for the tests beside this file."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipeline import state as store
from pipeline.package import PackageStore
from pipeline.project import paths
from pipeline.trials import TrialRequest, start_trial
from tests.fixtures.toy_dataset import settings
from tests.pipeline.monitoring.log_fixtures import MODEL_NAME, NOW, live_rows, production_package, write_log

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pandas as pd

    from pipeline.config.groups.lifecycle_config import LifecycleConfig
    from pipeline.state import State, Trial

START = NOW - 90 * store.HOUR_US


def lifecycle_settings(**changes: object) -> LifecycleConfig:
    """Return the shipped settings with other values, such as `trial_min_units=3` or `mode="act"`."""
    config = settings().lifecycle
    for name, value in changes.items():
        section, _, key = name.partition("_")
        if key and hasattr(config, section):
            part = getattr(config, section).model_copy(update={key: value})
            config = config.model_copy(update={section: part})
        else:
            config = config.model_copy(update={name: value})
    return config


@contextmanager
def state_at(root: Path, moment: int = NOW) -> Iterator[State]:
    """Open the state database with a clock that stands at a moment."""
    state = store.open_state(root)
    state.clock = lambda: moment
    try:
        yield state
    finally:
        state.close()


def package_store(root: Path) -> PackageStore:
    return PackageStore(root / paths.PACKAGES)


def open_trial(root: Path, config: LifecycleConfig | None = None, *, challenger: int = 2, at: int = NOW) -> Trial:
    """Open a trial for which every logged prediction counts."""
    request = TrialRequest(MODEL_NAME, challenger, "ada", fresh_from=0)
    with state_at(root, at) as state:
        return start_trial(state, package_store(root), config or lifecycle_settings(), request)


def log_with_outcomes(
    root: Path, n: int, *, weights: Sequence[float] | None = None, frame: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Log rows over 90 hours, each with its true class an hour later; return the rows with their identifiers."""
    frame = live_rows(n, seed=5) if frame is None else frame
    ids = write_log(root, frame, start=START, stop=NOW - store.HOUR_US, weights=weights)
    package, _ = production_package(root)
    truth = frame[package.schema.target.column].astype(str)
    step = (NOW - store.HOUR_US - START) // n
    received = [START + i * step + store.HOUR_US for i in range(n)]
    add_outcomes(root, [(ids[i], received[i], truth[i]) for i in range(n)])
    return frame.assign(prediction_id=ids, truth=truth, received_at=received)


def add_outcomes(root: Path, outcomes: Sequence[tuple[str, int, str]]) -> None:
    """Write outcomes: identifier of the prediction, moment and class."""
    with state_at(root) as state, state.writing() as connection:
        store.add_outcomes(connection, [(name, at, label, "test") for name, at, label in outcomes])
