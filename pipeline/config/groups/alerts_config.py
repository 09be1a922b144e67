"""Group `alerts`: which findings become incidents, and by which ways people are told."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipeline.config.groups.section import Section, setting

__all__ = [
    "AlertRuleConfig",
    "AlertsConfig",
    "AppriseReceiverConfig",
    "EmailReceiverConfig",
    "LogReceiverConfig",
    "MonitoredServerConfig",
    "ReceiverConfig",
    "Severity",
    "WebhookReceiverConfig",
]

Severity = Literal["info", "warning", "critical"]

_ENV_NAME = r"^[A-Z][A-Z0-9_]*$"  # a name, so that an address or a secret cannot stand here by mistake
_WITHOUT_THRESHOLD = ("drift", "degradation", "not_trusted")


class AlertRuleConfig(Section):
    """When somebody is told."""

    when: Literal[
        "drift", "degradation", "not_trusted", "error_rate", "log_lag", "no_traffic", "stale_monitor",
        "stale_outcomes", "stale_model",
    ] = setting("What is looked at; docs/alerts.md has the table")  # fmt: skip
    above: float | None = setting(
        "Limit, in the unit of what is looked at (share, rows, minutes, hours); drift and the like have theirs",
        default=None,
        ge=0,
    )
    severity: Severity = setting("How bad it is")
    group: str = setting("Rules of one group make one incident", pattern=r"^[a-z][a-z0-9_]*$", max_length=40)

    @model_validator(mode="after")
    def _check_threshold(self) -> Self:
        if self.when in _WITHOUT_THRESHOLD and self.above is not None:
            raise ValueError(
                f"`when: {self.when}` takes no `above`; its limits stand in conf/drift and conf/monitoring"
            )
        if self.when not in _WITHOUT_THRESHOLD and self.above is None:
            raise ValueError(f"`when: {self.when}` needs `above`, its limit")
        return self


class LogReceiverConfig(Section):
    """A line in the log."""

    kind: Literal["log"]
    least: Severity = setting("Least severity that it is told", default="info")


class WebhookReceiverConfig(Section):
    """A POST to an address that an environment variable holds."""

    kind: Literal["webhook"]
    url_env: str = setting("Environment variable with the address", pattern=_ENV_NAME)
    body: Literal["json", "slack", "alertmanager"] = setting("Form of the body")
    token_env: str | None = setting("Environment variable with a bearer token", default=None, pattern=_ENV_NAME)
    timeout_s: float = setting("From the first byte to the last", unit="s", default=5.0, gt=0, le=10)
    least: Severity = setting("Least severity that it is told", default="info")


class EmailReceiverConfig(Section):
    """An e-mail by SMTP."""

    kind: Literal["smtp"]
    url_env: str = setting(
        "Environment variable with the server: smtp://, or smtps:// for TLS from the start", pattern=_ENV_NAME
    )
    sender_env: str = setting("Environment variable with the sender's address", pattern=_ENV_NAME)
    to_env: str = setting("Environment variable with the receivers' addresses, by commas", pattern=_ENV_NAME)
    starttls: bool = setting("Whether smtp:// turns to TLS before anything is said", default=True)
    timeout_s: float = setting("From the first byte to the last", unit="s", default=10.0, gt=0, le=20)
    least: Severity = setting("Least severity that it is told", default="info")


class AppriseReceiverConfig(Section):
    """Whatever Apprise can reach; needs the extra `alerts`."""

    kind: Literal["apprise"]
    url_env: str = setting("Environment variable with Apprise's addresses, by spaces", pattern=_ENV_NAME)
    least: Severity = setting("Least severity that it is told", default="info")


ReceiverConfig = Annotated[
    LogReceiverConfig | WebhookReceiverConfig | EmailReceiverConfig | AppriseReceiverConfig, Field(discriminator="kind")
]


class MonitoredServerConfig(Section):
    """Where the server's figures are read, for the rules about errors and its log."""

    url_env: str = setting(
        "Environment variable with its address; that of conf/serving when it is unset", pattern=_ENV_NAME
    )
    key_env: str = setting("Environment variable with an API key of role viewer", pattern=_ENV_NAME)


class AlertsConfig(Section):
    """Who is told of what, how often, and by which way."""

    cooldown_minutes: int = setting("The same incident is not told again within it", unit="min", gt=0)
    rules: dict[str, AlertRuleConfig]
    sinks: dict[str, ReceiverConfig]
    hosts: tuple[str, ...] = setting("Hosts that webhooks may go to; only to public addresses of them, by https")
    local_hosts: tuple[str, ...] = setting("Hosts that may have private addresses, and plain http")
    server: MonitoredServerConfig
