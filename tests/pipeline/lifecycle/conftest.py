"""The two packages that rollouts and deployments share."""

from tests.deploy.conftest import two_packages

__all__ = ["two_packages"]
