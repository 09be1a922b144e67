"""Hydra accepts the launchers of engines, and no other engine of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config.composition import check_hydra_overrides
from pipeline.config.hydra_app import HydraTask
from pipeline.config.hydra_launcher import EngineLauncher
from pipeline.config.hydra_settings import ENGINE_LAUNCHERS
from pipeline.errors import TargetRefused, UsageError

CONF = Path(__file__).parents[3] / "conf"


@pytest.mark.parametrize("engine", ENGINE_LAUNCHERS)
def test_each_engine_is_a_launcher(engine: str) -> None:
    check_hydra_overrides([f"hydra/launcher={engine}", "seed=1,2"], conf=CONF)
    with pytest.raises(TargetRefused, match=r"engine: \"spark\" is not accepted; expected local, dask"):
        check_hydra_overrides([f"hydra/launcher={engine}", "hydra.launcher.engine=spark"], conf=CONF)


def test_a_stage_without_trials_has_no_launcher_of_an_engine() -> None:
    launcher = EngineLauncher("dask")
    launcher.setup(hydra_context=None, task_function=HydraTask(lambda _: None), config=None)
    with pytest.raises(UsageError, match=r"hydra/launcher=dask: only the stage train has trials"):
        launcher.launch([["seed=1"]], 0)
