"""What Hydra knows about the job that runs now: its overrides, its number in a sweep, its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Job", "current_job"]


@dataclass(frozen=True, slots=True)
class Job:
    """One call by hand, or one member of a sweep."""

    overrides: tuple[str, ...]
    number: int | None
    sweep_folder: Path | None

    @property
    def is_in_sweep(self) -> bool:
        """Whether the job is a member of a sweep."""
        return self.sweep_folder is not None


def current_job() -> Job:
    """Return the running job; a plain one without overrides outside of Hydra."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode
    from omegaconf import OmegaConf

    if not HydraConfig.initialized():
        return Job((), None, None)
    node = HydraConfig.get()
    overrides = tuple(str(word) for word in node.overrides.task)
    if node.mode != RunMode.MULTIRUN:
        return Job(overrides, None, None)
    number = None if OmegaConf.is_missing(node.job, "num") else int(node.job.num)
    return Job(overrides, number, Path(node.runtime.cwd) / str(node.sweep.dir))
