"""The registered project of the serving tests, and a log of known rows in it."""

from tests.pipeline.serving.conftest import databases, packages, postgresql, project, registered

__all__ = ["databases", "packages", "postgresql", "project", "registered"]
