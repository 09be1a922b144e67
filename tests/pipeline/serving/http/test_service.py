from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.serving.http import service
from pipeline.serving.http.api_key_verifier import ApiKeyVerifier
from pipeline.serving.http.oidc import OidcVerifier
from pipeline.serving.http.problems import HttpProblem
from tests.fixtures.toy_dataset import settings

if TYPE_CHECKING:
    from pipeline.config.groups.serving_config import ServingConfig


def serving_config(*overrides: str) -> ServingConfig:
    return settings(*overrides).serving


@pytest.mark.parametrize("host", [b"localhost:5000", b"127.0.0.1", b"[::1]:5000", b"shop.example"])
def test_loopback_names_and_allowed_hosts_are_trusted(host: bytes) -> None:
    config = serving_config("serving.allowed_hosts=[Shop.Example]")
    service._create_trusted_hosts(config).check({b"host": host})


def test_another_host_is_not_trusted() -> None:
    with pytest.raises(HttpProblem, match=r"add it to serving\.allowed_hosts"):
        service._create_trusted_hosts(serving_config()).check({b"host": b"evil.example"})


def test_a_server_with_credentials_and_without_allowed_hosts_accepts_any_host() -> None:
    config = serving_config("serving.authentication=required")
    service._create_trusted_hosts(config).check({b"host": b"any.example"})


def test_tokens_of_an_issuer_are_accepted_if_the_environment_names_one() -> None:
    config = serving_config("serving.authentication=required")
    verifiers = [
        service._create_authenticator(ApiKeyVerifier(), config, environment).verifiers
        for environment in ({}, {config.oidc.issuer_env: "https://issuer.example"})
    ]
    assert [[type(verifier) for verifier in group] for group in verifiers] == [
        [ApiKeyVerifier],
        [ApiKeyVerifier, OidcVerifier],
    ]


def test_the_limits_of_the_settings_apply() -> None:
    overrides = ("serving.authentication=required", "serving.limits.max_requests_per_s=2.0")
    authenticator = service._create_authenticator(ApiKeyVerifier(), serving_config(*overrides), {})
    assert authenticator.is_required
    assert authenticator.rate_limiter is not None
    assert (authenticator.rate_limiter.per_s, authenticator.rate_limiter.burst) == (2.0, 4.0)


def test_without_credentials_and_rate_limit_every_request_is_allowed() -> None:
    authenticator = service._create_authenticator(ApiKeyVerifier(), serving_config(), {})
    assert authenticator.allows_everyone
