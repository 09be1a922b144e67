"""Where the cluster of an engine is, and what to say when it does not respond."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pipeline.errors import DependencyUnavailable

if TYPE_CHECKING:
    from pipeline.config.groups.engine_config import DaskEngineConfig, RayEngineConfig

__all__ = ["cluster_address", "unavailable"]


def cluster_address(config: DaskEngineConfig | RayEngineConfig, *, example: str) -> str:
    """Return the address in the variable that the settings name.

    Raises
    ------
    DependencyUnavailable
        When the variable is not set.
    """
    address = os.environ.get(config.address_env, "")
    if not address:
        raise DependencyUnavailable(
            f"engine.kind {config.kind}: the variable {config.address_env} is not set; set it to the address of a"
            f" running cluster, such as {example}; no cluster is started for you"
        )
    return address


def unavailable(config: DaskEngineConfig | RayEngineConfig, address: str, error: Exception) -> DependencyUnavailable:
    """Return the error of a cluster that cannot be reached."""
    return DependencyUnavailable(
        f"engine.kind {config.kind}: no cluster responds at {address} ({config.address_env}) within"
        f" {config.timeout_s} s ({type(error).__name__}: {error}); check address, network and TLS settings"
    )
