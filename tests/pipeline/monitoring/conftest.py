"""The registered project of the serving tests, and a log of known rows in it."""

from tests.pipeline.serving.conftest import packages, project, registered

__all__ = ["packages", "project", "registered"]
