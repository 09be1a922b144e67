"""The registered project of the serving tests, and settings of alerts with receivers on loopback."""

from tests.pipeline.serving.conftest import packages, project, registered

__all__ = ["packages", "project", "registered"]
