"""Group `tracking`: where runs are recorded."""

from __future__ import annotations

from pipeline.config.groups.section import Positive, Section, setting

__all__ = ["TrackingConfig"]


class TrackingConfig(Section):
    """Where runs are recorded."""

    experiment: str = setting("Name of the MLflow experiment", min_length=1)
    uri_env: str = setting("Environment variable with the address of a server; the SQLite store when it is unset")
    timeout_s: Positive = setting("How long a server may take before work goes on without it", unit="s")
    fail_fast: bool = setting("Whether a sweep ends with its first failing configuration")
