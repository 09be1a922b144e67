"""Group `serving`: address, authentication, limits, engine and prediction log of the HTTP API."""

from __future__ import annotations

from typing import Literal

from pipeline.config.groups.section import Positive, Section, Share, setting

__all__ = ["EngineConfig", "HttpLimitsConfig", "OidcConfig", "PredictionLogConfig", "ServingConfig"]


class HttpLimitsConfig(Section):
    """What one client, and all of them together, may ask for."""

    max_body_mb: Positive = setting("Largest body", unit="MB")
    header_timeout_s: Positive = setting("How long the head of a request may take to arrive", unit="s")
    body_timeout_s: Positive = setting("How long its body may take", unit="s")
    response_timeout_s: Positive = setting("How long a client may leave an answer lying", unit="s")
    keep_alive_timeout_s: Positive = setting("How long a connection may wait for its next request", unit="s")
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


class EngineConfig(Section):
    """How the engine follows what serves, and how much it takes at once."""

    poll_interval_s: float = setting("Time between two looks at the state database", unit="s", gt=0, le=60)
    max_rows: Positive = setting("Rows that one request may hold", unit="rows")
    missing_share_warning: Share = setting("Share of missing values of a row from which an answer says so")
    prediction_cache_rows: int = setting("Answers kept for rows that come again; 0 keeps none", unit="rows", ge=0)
    fallback_to_last_good: bool = setting(
        "Whether a start falls back to the version that served before, when the newest is damaged"
    )
    fallback_to_rule: bool = setting(
        "Whether the package's rule of two questions answers when no model can be loaded; answers say so"
    )


class PredictionLogConfig(Section):
    """How answers are kept: an answer is given when its row is committed and synced."""

    mode: Literal["durable", "none"] = setting("Whether answers are logged at all")
    on_log_failure: Literal["reject", "serve_unlogged"] = setting("What becomes of requests that cannot be logged")
    max_queue_rows: Positive = setting("Rows that may wait to be logged; more are turned away", unit="rows")
    sample_rate: float = setting("Share of requests whose rows are kept, each with its weight", gt=0, le=1)
    retention_days: Positive = setting("Age from which rows are removed", unit="d")
    partition_days: Positive = setting(
        "Time that one partition of the log holds on PostgreSQL; it goes as a whole, up to so much later", unit="d"
    )
    idempotency_hours: Positive = setting("How long a retry with an idempotency key gets the stored answer", unit="h")


class ServingConfig(Section):
    """Where the HTTP API listens."""

    host: str = setting("Address to bind; anything but loopback needs authentication", min_length=1)
    port: int = setting("Port to bind", ge=1, le=65535)
    authentication: Literal["none", "required"] = setting("Whether callers need an API key or a token")
    allowed_hosts: tuple[str, ...] = setting(
        "Names that the server answers to besides its address; empty with credentials: all"
    )
    log_requests: Literal["errors", "all"] = setting("Which requests get a line in the log; slow ones always do")
    trace_sample_rate: Share = setting(
        "Requests without a trace of their caller that get one, where traces are asked for"
    )
    limits: HttpLimitsConfig
    oidc: OidcConfig
    engine: EngineConfig
    log: PredictionLogConfig
