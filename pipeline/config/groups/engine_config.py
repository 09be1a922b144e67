"""Group `engine`: where the parts of a job run."""

from __future__ import annotations

from typing import Literal

from pipeline.config.groups.section import Positive, Section, setting

__all__ = ["LocalEngineConfig", "PartEngineConfig"]


class _PartEngine(Section):
    """What all engines have in common."""

    retries: int = setting("How often a part runs again after its worker died", ge=0, le=100)
    part_rows: Positive = setting("Most rows of a part, unless one row group has more", unit="rows")


class LocalEngineConfig(_PartEngine):
    """Processes of this machine; one worker is the process of the command itself."""

    kind: Literal["local"]
    workers: Positive = setting("Parts that run at the same time", unit="processes")


PartEngineConfig = LocalEngineConfig
