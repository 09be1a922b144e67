"""The registered project of the serving tests, and settings of alerts with receivers on loopback."""

from tests.pipeline.serving.conftest import databases, packages, postgresql, project, registered

__all__ = ["databases", "packages", "postgresql", "project", "registered"]
