"""Group `tracking`: where runs are tracked."""

from __future__ import annotations

from pipeline.config.groups.section import Positive, Section, setting

__all__ = ["TrackingConfig"]


class TrackingConfig(Section):
    """Where runs are tracked."""

    experiment: str = setting("Name of the MLflow experiment", min_length=1)
    uri_env: str = setting("Environment variable with the URI of an MLflow server; if unset, an SQLite store")
    timeout_s: Positive = setting("Timeout of the server; work continues without it", unit="s")
    publish_graph_runs: bool = setting(
        "Whether `dvc repro` publishes its results; without it `mlops tracking sync` does"
    )
    fail_fast: bool = setting("Whether a sweep stops at its first failed trial")
