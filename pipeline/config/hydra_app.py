"""Run a stage as a Hydra application over conf/: overrides, sweeps, launchers and sweepers work as everywhere."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from pipeline import paths
from pipeline.config.compose import check_hydra_of
from pipeline.config.interpolation import check_interpolations
from pipeline.config.job import current_job
from pipeline.config.load import build
from pipeline.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.config.types import Config

__all__ = ["run"]

_FLAGS = {"-m", "--multirun", "--cfg", "-c", "job", "hydra", "all", "--resolve", "-r", "--info"}


def run(name: str, task: Callable[[Config], float | None], arguments: Sequence[str]) -> None:
    """Run `task` on the settings that `arguments` compose, once or for every member of a sweep.

    Raises
    ------
    UsageError
        When a flag is given that would leave conf/ (another folder, another file, a pickled run).
    ConfigError
        Naming file, key path or override.
    """
    overrides = [word for word in arguments if "=" in word or word.startswith("~")]
    strange = [word for word in arguments if word not in overrides and word not in _FLAGS]
    if strange:
        raise UsageError(
            f"python -m stages.{name}: {strange[0]!r} is not used here; accepted: overrides such as model=random_forest,"
            " -m for a sweep, --cfg job, --info, --help"
        )
    check_hydra_of(overrides)
    _start(task)


def _start(task: Callable[[Config], float | None]) -> None:
    import hydra
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    def job(tree: Any) -> float | None:
        raw: Any = OmegaConf.to_container(tree, resolve=False)
        check_interpolations(raw)
        values: Any = OmegaConf.to_container(tree, resolve=True)
        return task(build(values, where=" ".join([f"{paths.CONF}/config.yaml", *current_job().overrides])))

    # Hydra would print its own trace and end with 1; this makes it raise what the task raised.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    sys.argv[0] = "stage"
    try:
        hydra.main(config_path=str(paths.CONF.resolve()), config_name="config", version_base=None)(job)()
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(" ".join(str(error).split())) from error
