"""Group `alerts`: which findings become incidents, and which receivers are notified."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipeline.config.groups.section import Section, setting

__all__ = [
    "AlertRuleConfig",
    "AlertsConfig",
    "AppriseReceiverConfig",
    "EmailReceiverConfig",
    "ExtensionReceiverConfig",
    "LogReceiverConfig",
    "MonitoredServerConfig",
    "ReceiverConfig",
    "Severity",
    "WebhookReceiverConfig",
]

Severity = Literal["info", "warning", "critical"]

_ENV_NAME = r"^[A-Z][A-Z0-9_]*$"  # a name, so that a URL or a secret is rejected
_THRESHOLD_KEY_BY_CONDITION = {
    "error_rate": "above_share",
    "log_lag": "above_rows",
    "no_traffic": "above_minutes",
    "stale_monitor": "above_hours",
    "stale_outcomes": "above_hours",
    "stale_model": "above_hours",
    "stale_loop": "above_hours",
}
_THRESHOLD_KEYS = ("above_share", "above_rows", "above_minutes", "above_hours")


class AlertRuleConfig(Section):
    """A rule that opens an incident."""

    condition: Literal[
        "drift", "degradation", "not_trusted", "error_rate", "log_lag", "no_traffic", "stale_monitor",
        "stale_outcomes", "stale_model", "importance", "fairness", "stale_loop", "retrain", "retrain_decision",
        "labels", "trial_won", "trial_lost", "trial_stopped",
    ] = setting("What the rule checks; docs/reference/alerts.md lists them")  # fmt: skip
    above_share: float | None = setting("Threshold of `error_rate`: share of responses", default=None, ge=0, le=1)
    above_rows: float | None = setting("Threshold of `log_lag`", unit="rows", default=None, ge=0)
    above_minutes: float | None = setting("Threshold of `no_traffic`", unit="min", default=None, ge=0)
    above_hours: float | None = setting(
        "Threshold of `stale_monitor`, `stale_outcomes`, `stale_model` and `stale_loop`", unit="h", default=None, ge=0
    )
    severity: Severity = setting("Severity of the incident")
    group: str = setting("Rules of one group share one incident", pattern=r"^[a-z][a-z0-9_]*$", max_length=40)

    @property
    def threshold(self) -> float | None:
        """The threshold in the unit of its key; None if conf/drift and conf/monitoring hold it."""
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
    min_severity: Severity = setting("Lowest severity to notify", default="info")


class WebhookReceiverConfig(Section):
    """A POST to a URL that an environment variable holds."""

    kind: Literal["webhook"]
    url_env: str = setting("Environment variable with the URL", pattern=_ENV_NAME)
    body: Literal["json", "slack", "alertmanager"] = setting("Format of the body")
    token_env: str | None = setting("Environment variable with a bearer token", default=None, pattern=_ENV_NAME)
    timeout_s: float = setting("Total time of the request", unit="s", default=5.0, gt=0, le=10)
    min_severity: Severity = setting("Lowest severity to notify", default="info")


class EmailReceiverConfig(Section):
    """An e-mail by SMTP."""

    kind: Literal["smtp"]
    url_env: str = setting(
        "Environment variable with the server: smtp://, or smtps:// for implicit TLS", pattern=_ENV_NAME
    )
    sender_env: str = setting("Environment variable with the sender's address", pattern=_ENV_NAME)
    to_env: str = setting("Environment variable with the recipients, separated by commas", pattern=_ENV_NAME)
    starttls: bool = setting("Whether smtp:// requires STARTTLS", default=True)
    timeout_s: float = setting("Total time of the request", unit="s", default=10.0, gt=0, le=20)
    min_severity: Severity = setting("Lowest severity to notify", default="info")


class AppriseReceiverConfig(Section):
    """Any service that Apprise supports; needs the extra `alerts`."""

    kind: Literal["apprise"]
    url_env: str = setting("Environment variable with Apprise URLs, separated by spaces", pattern=_ENV_NAME)
    min_severity: Severity = setting("Lowest severity to notify", default="info")


class ExtensionReceiverConfig(Section):
    """A receiver that an extension defines."""

    kind: Literal["extension"]
    name: str = setting("Name that the extension gives it")
    settings: dict[str, str | int | float | bool] = setting(
        "What its function receives; a secret is the name of an environment variable", default={}
    )
    min_severity: Severity = setting("Lowest severity to notify", default="info")


ReceiverConfig = Annotated[
    LogReceiverConfig | WebhookReceiverConfig | EmailReceiverConfig | AppriseReceiverConfig | ExtensionReceiverConfig,
    Field(discriminator="kind"),
]


class MonitoredServerConfig(Section):
    """Server whose metrics the service rules read."""

    url_env: str = setting(
        "Environment variable with its URL; if unset, the address in conf/serving", pattern=_ENV_NAME
    )
    api_key_env: str = setting("Environment variable with an API key of role viewer", pattern=_ENV_NAME)


class AlertsConfig(Section):
    """Rules, receivers and notification intervals."""

    cooldown_minutes: int = setting("Time before an open incident is notified again", unit="min", gt=0)
    rules: dict[str, AlertRuleConfig]
    receivers: dict[str, ReceiverConfig]
    allowed_hosts: tuple[str, ...] = setting("Hosts of webhooks; public addresses and HTTPS only")
    private_hosts: tuple[str, ...] = setting("Hosts that may have private addresses and plain HTTP")
    server: MonitoredServerConfig
