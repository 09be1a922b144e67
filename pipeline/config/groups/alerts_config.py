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
_THRESHOLD_KEY_BY_CONDITION = {
    "error_rate": "above_share",
    "log_lag": "above_rows",
    "no_traffic": "above_minutes",
    "stale_monitor": "above_hours",
    "stale_outcomes": "above_hours",
    "stale_model": "above_hours",
}
_THRESHOLD_KEYS = ("above_share", "above_rows", "above_minutes", "above_hours")


class AlertRuleConfig(Section):
    """When somebody is told."""

    condition: Literal[
        "drift", "degradation", "not_trusted", "error_rate", "log_lag", "no_traffic", "stale_monitor",
        "stale_outcomes", "stale_model",
    ] = setting("What is looked at; docs/reference/alerts.md has the table")  # fmt: skip
    above_share: float | None = setting("Threshold of `error_rate`: share of responses", default=None, ge=0, le=1)
    above_rows: float | None = setting("Threshold of `log_lag`", unit="rows", default=None, ge=0)
    above_minutes: float | None = setting("Threshold of `no_traffic`", unit="min", default=None, ge=0)
    above_hours: float | None = setting(
        "Threshold of `stale_monitor`, `stale_outcomes` and `stale_model`", unit="h", default=None, ge=0
    )
    severity: Severity = setting("How bad it is")
    group: str = setting("Rules of one group make one incident", pattern=r"^[a-z][a-z0-9_]*$", max_length=40)

    @property
    def threshold(self) -> float | None:
        """The threshold that is set, in the unit of its key; None where conf/drift and conf/monitoring hold it."""
        return next((value for key in _THRESHOLD_KEYS if (value := getattr(self, key)) is not None), None)

    @model_validator(mode="after")
    def _check_threshold(self) -> Self:
        needed = _THRESHOLD_KEY_BY_CONDITION.get(self.condition)
        for key in _THRESHOLD_KEYS:
            if key != needed and getattr(self, key) is not None:
                takes = f"takes `{needed}`" if needed else "has its thresholds in conf/drift and conf/monitoring"
                raise ValueError(f"`condition: {self.condition}` takes no `{key}`; it {takes}")
        if needed is not None and getattr(self, needed) is None:
            raise ValueError(f"`condition: {self.condition}` needs `{needed}`, its threshold")
        return self


class LogReceiverConfig(Section):
    """A line in the log."""

    kind: Literal["log"]
    min_severity: Severity = setting("Least severity that it is told", default="info")


class WebhookReceiverConfig(Section):
    """A POST to an address that an environment variable holds."""

    kind: Literal["webhook"]
    url_env: str = setting("Environment variable with the address", pattern=_ENV_NAME)
    body: Literal["json", "slack", "alertmanager"] = setting("Form of the body")
    token_env: str | None = setting("Environment variable with a bearer token", default=None, pattern=_ENV_NAME)
    timeout_s: float = setting("From the first byte to the last", unit="s", default=5.0, gt=0, le=10)
    min_severity: Severity = setting("Least severity that it is told", default="info")


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
    min_severity: Severity = setting("Least severity that it is told", default="info")


class AppriseReceiverConfig(Section):
    """Whatever Apprise can reach; needs the extra `alerts`."""

    kind: Literal["apprise"]
    url_env: str = setting("Environment variable with Apprise's addresses, by spaces", pattern=_ENV_NAME)
    min_severity: Severity = setting("Least severity that it is told", default="info")


ReceiverConfig = Annotated[
    LogReceiverConfig | WebhookReceiverConfig | EmailReceiverConfig | AppriseReceiverConfig, Field(discriminator="kind")
]


class MonitoredServerConfig(Section):
    """Where the server's figures are read, for the rules about errors and its log."""

    url_env: str = setting(
        "Environment variable with its address; that of conf/serving when it is unset", pattern=_ENV_NAME
    )
    api_key_env: str = setting("Environment variable with an API key of role viewer", pattern=_ENV_NAME)


class AlertsConfig(Section):
    """Who is told of what, how often, and by which way."""

    cooldown_minutes: int = setting("The same incident is not told again within it", unit="min", gt=0)
    rules: dict[str, AlertRuleConfig]
    receivers: dict[str, ReceiverConfig]
    allowed_hosts: tuple[str, ...] = setting(
        "Hosts that webhooks may go to; only to public addresses of them, by https"
    )
    private_hosts: tuple[str, ...] = setting("Hosts that may have private addresses, and plain http")
    server: MonitoredServerConfig
