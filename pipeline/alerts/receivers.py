"""Send one message to a receiver: log, webhook, e-mail, Apprise, or one of an extension."""

from __future__ import annotations

import json
import logging
import os
import smtplib
import socket
import ssl
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from pipeline.alerts.payloads import PAYLOAD_FORMATS, body_text, subject_line
from pipeline.alerts.safe_post import AllowedHosts, close_socket_after, post_to_allowed_host
from pipeline.errors import ConfigError, DependencyUnavailable, ExtensionFailed
from pipeline.extensions import call_extension
from pipeline.lookup import LookupTable

if TYPE_CHECKING:
    from urllib.parse import SplitResult

    from pipeline.config.groups.alerts_config import (
        AlertsConfig,
        AppriseReceiverConfig,
        EmailReceiverConfig,
        ExtensionReceiverConfig,
        ReceiverConfig,
        WebhookReceiverConfig,
    )

__all__ = ["define_receiver", "send_notification"]

_SendFunction = Callable[[Any, Mapping[str, Any], "AlertsConfig"], None]
RECEIVERS: LookupTable[_SendFunction] = LookupTable("alerts.receivers.kind")
ExtensionReceiver = Callable[[Mapping[str, Any], Mapping[str, Any]], None]
EXTENSION_RECEIVERS: LookupTable[ExtensionReceiver] = LookupTable("alerts.receivers.name")
_LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "critical": logging.CRITICAL}
_LOG = logging.getLogger("mlops.alerts")
_SMTP_READY = 220
_SMTP_URL_FORMATS = "smtp://USER:PASSWORD@HOST:587, smtps://..."  # pragma: allowlist secret


def define_receiver(name: str) -> Callable[[ExtensionReceiver], ExtensionReceiver]:
    """Return a decorator that adds a receiver of an extension, for `alerts.receivers` with `kind: extension`.

    The function gets the message, a mapping as a webhook with `body: json` receives it, and the mapping `settings`. An
    error means that the receiver did not accept the message; delivery is tried again.

    Raises
    ------
    ConfigError
        When a receiver has the name already.
    """
    if name in EXTENSION_RECEIVERS:
        raise ConfigError(f"receiver {name}: exists already; choose another name")
    return EXTENSION_RECEIVERS.add(name)


def send_notification(receiver: ReceiverConfig, payload: Mapping[str, Any], config: AlertsConfig) -> None:
    """Send a message to a receiver.

    Raises
    ------
    ConfigError
        When an environment variable is not set, or the address is not valid or not allowed.
    DependencyUnavailable
        When the receiver did not accept it.
    """
    RECEIVERS[receiver.kind](receiver, payload, config)


def _require_environment(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise ConfigError(f"the environment variable {name} is not set; set it for the process that sends messages")
    return value


@RECEIVERS.add("log")
def _send_to_log(_receiver: Any, payload: Mapping[str, Any], _config: AlertsConfig) -> None:
    _LOG.log(_LEVELS[payload["severity"]], "%s\n%s", subject_line(payload), body_text(payload))


@RECEIVERS.add("webhook")
def _send_to_webhook(receiver: WebhookReceiverConfig, payload: Mapping[str, Any], config: AlertsConfig) -> None:
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "declarative-mlops",
        "Idempotency-Key": str(payload["key"]),
    }
    if receiver.token_env is not None:
        headers["Authorization"] = f"Bearer {_require_environment(receiver.token_env)}"
    post_to_allowed_host(
        _require_environment(receiver.url_env),
        json.dumps(PAYLOAD_FORMATS[receiver.body](payload), ensure_ascii=False).encode(),
        headers,
        hosts=AllowedHosts(config.allowed_hosts, config.private_hosts),
        timeout_s=receiver.timeout_s,
        setting_name=receiver.url_env,
    )


@RECEIVERS.add("smtp")
def _send_mail(receiver: EmailReceiverConfig, payload: Mapping[str, Any], _config: AlertsConfig) -> None:
    parts = urlsplit(_require_environment(receiver.url_env))
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise ConfigError(f"{receiver.url_env}: the address is not valid; expected {_SMTP_URL_FORMATS}")
    message = _email_message(payload, _require_environment(receiver.sender_env), _require_environment(receiver.to_env))
    secure = ssl.create_default_context()
    try:
        port = parts.port or (465 if parts.scheme == "smtps" else 587)
        plain = socket.create_connection((parts.hostname, port), timeout=receiver.timeout_s)
        with plain, close_socket_after(plain, receiver.timeout_s), _GreetedSMTP(plain, parts, secure) as server:
            if parts.scheme == "smtp" and receiver.starttls:
                server.starttls(context=secure)
            if parts.username is not None:
                server.login(unquote(parts.username), unquote(parts.password or ""))
            server.send_message(message)
    except (OSError, smtplib.SMTPException) as error:
        raise DependencyUnavailable(f"{parts.hostname}: {type(error).__name__}: {error}") from error


class _GreetedSMTP(smtplib.SMTP):
    """An SMTP client on an open connection.

    smtplib connects and waits for the greeting in one step, without a deadline for both.
    """

    _host: str  # what `starttls` compares the certificate with

    def __init__(self, plain: socket.socket, parts: SplitResult, secure: ssl.SSLContext) -> None:
        super().__init__()
        self._host = parts.hostname or ""
        self.sock = secure.wrap_socket(plain, server_hostname=self._host) if parts.scheme == "smtps" else plain
        code, reply = self.getreply()
        if code != _SMTP_READY:
            self.close()
            raise smtplib.SMTPConnectError(code, reply)


def _email_message(payload: Mapping[str, Any], sender: str, to: str) -> EmailMessage:
    message = EmailMessage()
    # A title holds names of users; a line break in it would add a header.
    message["Subject"] = subject_line(payload)
    message["From"], message["To"] = sender, to
    message["Message-ID"] = f"<{payload['key']}@mlops.invalid>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(body_text(payload))
    return message


@RECEIVERS.add("apprise")
def _send_by_apprise(receiver: AppriseReceiverConfig, payload: Mapping[str, Any], _config: AlertsConfig) -> None:
    addresses = _require_environment(receiver.url_env).split()
    try:
        import apprise
    except ModuleNotFoundError as error:
        raise DependencyUnavailable(
            "Apprise is not installed; run `pip install 'declarative-mlops[alerts]'`"
        ) from error
    kinds = {
        "info": apprise.NotifyType.INFO,
        "warning": apprise.NotifyType.WARNING,
        "critical": apprise.NotifyType.FAILURE,
    }
    notifier = apprise.Apprise()
    if not notifier.add(addresses):
        raise ConfigError(f"{receiver.url_env}: Apprise does not support one of its addresses")
    kind = apprise.NotifyType.SUCCESS if payload["event"] == "resolved" else kinds[payload["severity"]]
    if not notifier.notify(title=subject_line(payload), body=body_text(payload), notify_type=kind):
        raise DependencyUnavailable("Apprise could not notify all of its receivers")


@RECEIVERS.add("extension")
def _send_by_extension(receiver: ExtensionReceiverConfig, payload: Mapping[str, Any], _config: AlertsConfig) -> None:
    function = EXTENSION_RECEIVERS[receiver.name]
    try:
        call_extension(f"receiver {receiver.name}", function, payload, receiver.settings)
    except ExtensionFailed as error:
        raise DependencyUnavailable(str(error)) from error
