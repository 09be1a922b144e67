"""Parts of group `serving` that speak of the HTTP API: limits, and the issuer of tokens."""

from __future__ import annotations

from typing import Literal

from pipeline.config.groups.section import Positive, Section, setting

__all__ = ["HttpLimitsConfig", "OidcConfig"]

Seconds = Positive


class HttpLimitsConfig(Section):
    """What one client, and all of them together, may ask for."""

    max_body_mb: Positive = setting("Largest body", unit="MB")
    header_timeout_s: Seconds = setting("How long the head of a request may take to arrive", unit="s")
    body_timeout_s: Seconds = setting("How long its body may take", unit="s")
    response_timeout_s: Seconds = setting("How long a client may leave an answer lying", unit="s")
    keep_alive_timeout_s: Seconds = setting("How long a connection may wait for its next request", unit="s")
    max_connections: Positive = setting("Connections at once; above it only probes are answered", unit="connections")
    max_concurrent_requests: Positive = setting(
        "Requests that are answered at once; more are told to come back", unit="requests"
    )
    max_inflight_mb: Positive = setting("Bodies that are answered at once, together", unit="MB")
    max_requests_per_s: float = setting("Requests of one credential; 0 for no limit", unit="requests/s", ge=0)
    max_auth_failures_per_min: Positive = setting("Wrong credentials of one address", unit="requests/min")


class OidcConfig(Section):
    """Bearer tokens of an OpenID Connect issuer, beside API keys."""

    issuer_env: str = setting("Environment variable with the issuer's address; no tokens when it is unset")
    audience: str = setting("What a token must be meant for", min_length=1)
    algorithms: tuple[Literal["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"], ...] = setting(
        "Accepted signatures", min_length=1
    )
    roles_claim: str = setting("Claim with the list of roles", min_length=1)
    leeway_s: int = setting("By how much clocks may differ", unit="s", ge=0, le=300)
