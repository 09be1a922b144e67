"""The two packages that rollouts and deployments share."""

from tests.deploy.conftest import packages

__all__ = ["packages"]
