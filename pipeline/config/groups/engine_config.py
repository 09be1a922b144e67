"""Group `engine`: where the parts of a job run."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.groups.section import Positive, Section, setting

__all__ = ["DaskEngineConfig", "LocalEngineConfig", "PartEngineConfig", "RayEngineConfig"]


class _PartEngine(Section):
    """What all engines have in common."""

    retries: int = setting("How often a part runs again after its worker died", ge=0, le=100)
    part_rows: Positive = setting("Most rows of a part, unless one row group has more", unit="rows")


class LocalEngineConfig(_PartEngine):
    """Processes of this machine; one worker is the process of the command itself."""

    kind: Literal["local"]
    workers: Positive = setting("Parts that run at the same time", unit="processes")


class _ClusterEngine(_PartEngine):
    """A cluster that runs already."""

    address_env: str = setting("Variable of the environment that has the address of the cluster", min_length=1)
    workers: Positive | None = setting(
        "Parts that are submitted and did not end; null takes two for each thread or CPU of the cluster"
    )
    timeout_s: Positive = setting("How long to wait for the cluster, and for a first worker", unit="seconds")


class DaskEngineConfig(_ClusterEngine):
    """Tasks of a Dask cluster."""

    kind: Literal["dask"]


class RayEngineConfig(_ClusterEngine):
    """Tasks of a Ray cluster."""

    kind: Literal["ray"]


PartEngineConfig = Annotated[LocalEngineConfig | DaskEngineConfig | RayEngineConfig, Field(discriminator="kind")]
