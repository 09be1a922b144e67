"""Find out whether MLflow can be reached, without loading it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pipeline.production_status import TrackingFacts
from pipeline.tracking.run_store import DATABASE_FILE, RunStore, StoreUnreachable

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.config.groups.tracking_config import TrackingConfig

__all__ = ["probe_tracking"]

_PROBE_TIMEOUT_S = 1.5


def probe_tracking(root: Path, config: TrackingConfig, *, timeout_s: float = _PROBE_TIMEOUT_S) -> TrackingFacts:
    """Return whether the tracking store of a project responds; a failure is a fact, not an error."""
    store = RunStore(root, os.environ.get(config.uri_env) or None, timeout_s)
    address = DATABASE_FILE if store.uri is None else store.display_address
    try:
        exists = store.probe()
    except StoreUnreachable as error:
        return TrackingFacts("unreachable", address, str(error))
    if exists is None:
        return TrackingFacts("not_checked", address)
    return TrackingFacts("reachable" if exists else "new", address)
