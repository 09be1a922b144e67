"""Group `serving`: address, authentication, limits, engine and prediction log of the HTTP API."""

from __future__ import annotations

from typing import Literal

from pipeline.config.groups.section import Positive, Section, Share, setting

__all__ = ["EngineConfig", "HttpLimitsConfig", "OidcConfig", "PredictionLogConfig", "ServingConfig"]


class HttpLimitsConfig(Section):
    """Limits of one client and of all clients together."""

    max_body_mb: Positive = setting("Largest body", unit="MB")
    header_timeout_s: Positive = setting("Time for the request header to arrive", unit="s")
    body_timeout_s: Positive = setting("Time for the request body to arrive", unit="s")
    response_timeout_s: Positive = setting("Time for the client to read the response", unit="s")
    keep_alive_timeout_s: Positive = setting("Idle time of a connection", unit="s")
    max_connections: Positive = setting(
        "Concurrent connections; above it only probes get a response", unit="connections"
    )
    max_concurrent_requests: Positive = setting("Concurrent requests; more get 503 with Retry-After", unit="requests")
    max_inflight_mb: Positive = setting("Total size of concurrent request bodies", unit="MB")
    max_requests_per_s: float = setting("Requests of one credential; 0: no limit", unit="requests/s", ge=0)
    max_auth_failures_per_min: Positive = setting(
        "Wrong credentials of one address, and for one key; more get 429", unit="requests/min"
    )


class OidcConfig(Section):
    """Bearer tokens of an OpenID Connect issuer, beside API keys."""

    issuer_env: str = setting("Environment variable with the issuer URL; if unset, tokens are not accepted")
    audience: str = setting("Required audience of a token", min_length=1)
    algorithms: tuple[Literal["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"], ...] = setting(
        "Accepted signature algorithms", min_length=1
    )
    roles_claim: str = setting("Claim with the list of roles", min_length=1)
    leeway_s: int = setting("Accepted clock skew", unit="s", ge=0, le=300)


class EngineConfig(Section):
    """How the engine loads models and limits requests."""

    poll_interval_s: float = setting("Time between polls of the state database", unit="s", gt=0, le=60)
    max_rows: Positive = setting("Rows of one request", unit="rows")
    missing_share_warning: Share = setting("Share of missing values that adds a warning to a prediction")
    prediction_cache_rows: int = setting("Cached predictions; 0 disables the cache", unit="rows", ge=0)
    fallback_to_last_good: bool = setting("Whether a start falls back to the previous version if the newest is damaged")
    fallback_to_rule: bool = setting(
        "Whether the rule baseline predicts if no model can be loaded; predictions carry a warning"
    )


class PredictionLogConfig(Section):
    """How predictions are logged: the server responds after the row is committed and synced."""

    mode: Literal["durable", "none"] = setting("Whether predictions are logged")
    on_log_failure: Literal["reject", "serve_unlogged"] = setting("What happens to requests if the log is unavailable")
    max_queue_rows: Positive = setting("Rows waiting to be logged; more are rejected", unit="rows")
    sample_rate: float = setting("Share of requests that are logged, each with its sampling weight", gt=0, le=1)
    retention_days: Positive = setting("Age at which rows are deleted", unit="d")
    partition_days: Positive = setting(
        "Length of a PostgreSQL partition; retention drops whole partitions, up to this much later", unit="d"
    )
    idempotency_hours: Positive = setting("How long an idempotency key returns the stored response", unit="h")


class ServingConfig(Section):
    """Address, authentication, limits, engine and log of the HTTP API."""

    host: str = setting("Address to bind; other than loopback needs authentication", min_length=1)
    port: int = setting("Port to bind", ge=1, le=65535)
    grpc_port: int | None = setting("Port of gRPC; null: none. Needs the extra `grpc`", ge=1, le=65535)
    authentication: Literal["none", "required"] = setting("Whether clients need an API key or a token")
    allowed_hosts: tuple[str, ...] = setting(
        "Accepted Host names of API and app besides their addresses; if empty with authentication, the API accepts all"
    )
    dashboard_url: str | None = setting(
        "Address of a dashboard that runs elsewhere, for the page at /; null: only one beside the API is linked",
        pattern=r"^https?://\S+$",
    )
    log_requests: Literal["errors", "all"] = setting("Which requests are logged; slow ones always are")
    trace_sample_rate: Share = setting("Share of requests without a client trace that are traced, if tracing is on")
    limits: HttpLimitsConfig
    oidc: OidcConfig
    engine: EngineConfig
    log: PredictionLogConfig
