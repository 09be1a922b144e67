"""The callback of sweeps rejects a wrong direction, and its copy in a worker ends nothing."""

from __future__ import annotations

import pickle

import pytest

from pipeline.config.hydra_job import SweepPlan
from pipeline.sweeps.hydra_callback import SweepCallback, _direction_error


@pytest.mark.parametrize(
    ("direction", "objective", "expected"),
    [
        ("minimize", "log_loss", None),
        ("maximize", "roc_auc", None),
        (None, "roc_auc", None),
        ("minimize", "no metric", None),
        ("minimize", "roc_auc", "maximize"),
        ("maximize", "log_loss", "minimize"),
    ],
)
def test_a_wrong_direction_names_the_right_one(direction: str | None, objective: str, expected: str | None) -> None:
    error = _direction_error(SweepPlan("sweep", (), 1, direction, objective))
    assert (error is None) is (expected is None)
    assert expected is None or (error or "").endswith(f"add hydra.sweeper.direction={expected}")


def test_a_copy_in_a_worker_has_no_open_sweep(capsys: pytest.CaptureFixture[str]) -> None:
    callback = SweepCallback()
    callback._open_sweep = {"sweep": 1, "tracking": None}
    copy = pickle.loads(pickle.dumps(callback))
    copy.on_multirun_end(None)
    assert capsys.readouterr().out == ""
    assert copy._open_sweep == {}
