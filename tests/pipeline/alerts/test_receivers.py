"""Messages leave in the form that receivers know, to declared hosts alone, within their time."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from contextlib import suppress
from email import message_from_string
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.alerts import safe_post
from pipeline.alerts.receivers import define_receiver, send_notification
from pipeline.alerts.safe_post import AllowedHosts, _is_public, close_socket_after, post_to_allowed_host
from pipeline.config.composition import compose
from pipeline.config.config_loader import build_config, load_params
from pipeline.config.groups.alerts_config import (
    AppriseReceiverConfig,
    EmailReceiverConfig,
    ExtensionReceiverConfig,
    LogReceiverConfig,
    WebhookReceiverConfig,
)
from pipeline.errors import ConfigError, DependencyUnavailable, UnknownOption
from tests.fixtures.toy_dataset import ROOT
from tests.pipeline.alerts.receiver_servers import free_port, http_receiver, smtp_receiver

if TYPE_CHECKING:
    from pipeline.config.groups.alerts_config import AlertsConfig

URL_ENV = "MLOPS_TEST_URL"
PAYLOAD: dict[str, Any] = {
    "key": "k" * 64, "event": "opened", "number": 3, "group": "quality", "rules": ["drift"], "model": "m",
    "severity": "warning", "status": "open", "title": "2 of 9 distributions drifted <now>\nX-Evil: 1",
    "message": "Likeliest cause:\n1. a: mean rose\nNext: mlops monitor report", "details": {"causes": []},
    "opened_at": 1_770_000_000_000_000, "last_seen_at": 1_770_000_000_000_000, "n_occurrences": 1,
    "acknowledge": "mlops alerts ack 3",
}  # fmt: skip


def settings(**changes: Any) -> AlertsConfig:
    return load_params(ROOT / "params.yaml").alerts.model_copy(update={"private_hosts": ("localhost",), **changes})


def make_webhook(body: str = "json", **options: Any) -> WebhookReceiverConfig:
    return WebhookReceiverConfig(kind="webhook", url_env=URL_ENV, body=body, **options)


def test_a_webhook_gets_the_message_with_an_idempotency_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_TEST_TOKEN", "secret")
    with http_receiver() as receiver:
        monkeypatch.setenv(URL_ENV, receiver.url)
        send_notification(make_webhook(token_env="MLOPS_TEST_TOKEN"), PAYLOAD, settings())
    (body,), (head,) = receiver.bodies, receiver.request_headers
    assert (body["key"], head["Idempotency-Key"], head["Authorization"]) == ("k" * 64, "k" * 64, "Bearer secret")
    assert (body["number"], body["text"].splitlines()[-1]) == (3, "Acknowledge with: mlops alerts ack 3")


def test_slack_text_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    with http_receiver() as receiver:
        monkeypatch.setenv(URL_ENV, receiver.url)
        send_notification(make_webhook("slack"), PAYLOAD, settings())
    (body,) = receiver.bodies
    assert set(body) == {"text", "blocks"}
    assert "&lt;now&gt;" in body["text"]
    assert all(block["type"] == "section" for block in body["blocks"])


@pytest.mark.parametrize(("event", "status"), [("opened", "firing"), ("resolved", "resolved")])
def test_alertmanagers_receivers_get_version_4(event: str, status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with http_receiver() as receiver:
        monkeypatch.setenv(URL_ENV, receiver.url)
        send_notification(make_webhook("alertmanager"), {**PAYLOAD, "event": event}, settings())
    (body,) = receiver.bodies
    assert (body["version"], body["status"], body["alerts"][0]["status"]) == ("4", status, status)
    assert body["alerts"][0]["labels"] == {
        "alertname": "mlops_quality", "model": "m", "group": "quality", "severity": "warning",
    }  # fmt: skip
    assert body["alerts"][0]["startsAt"] == "2026-02-02T02:40:00Z"


def test_a_mail_subject_has_no_line_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    sink = EmailReceiverConfig(
        kind="smtp", url_env=URL_ENV, sender_env="MLOPS_TEST_FROM", to_env="MLOPS_TEST_TO", starttls=False
    )
    monkeypatch.setenv("MLOPS_TEST_FROM", "mlops@example.org")
    monkeypatch.setenv("MLOPS_TEST_TO", "ada@example.org, bob@example.org")
    with smtp_receiver() as receiver:
        monkeypatch.setenv(URL_ENV, f"smtp://127.0.0.1:{receiver.port}")
        send_notification(sink, PAYLOAD, settings())
    letter = message_from_string(receiver.emails[0])
    assert (letter["X-Evil"], letter["Message-ID"]) == (None, f"<{'k' * 64}@mlops.invalid>")
    assert letter["Subject"].replace("\r\n", "").startswith("[warning] m: 2 of 9 distributions drifted")
    assert "Next: mlops monitor report" in letter.get_payload()


@pytest.mark.parametrize(("scheme", "begin"), [("smtp", b"2"), ("smtps", b"\x16\x03\x03\x3f\x00")])
def test_an_endless_smtp_greeting_times_out(monkeypatch: pytest.MonkeyPatch, scheme: str, begin: bytes) -> None:
    sink = EmailReceiverConfig(
        kind="smtp", url_env=URL_ENV, sender_env="MLOPS_TEST_FROM", to_env="MLOPS_TEST_FROM", timeout_s=0.5
    )
    monkeypatch.setenv("MLOPS_TEST_FROM", "a@example.org")
    is_over = threading.Event()

    def greet() -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            connection.sendall(begin)
            while not is_over.wait(0.05):
                connection.sendall(b"2")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv(URL_ENV, f"{scheme}://127.0.0.1:{listener.getsockname()[1]}")
        thread = threading.Thread(target=greet)
        thread.start()
        with pytest.raises(DependencyUnavailable, match=r"no response within 0\.5 s"):
            send_notification(sink, PAYLOAD, settings())
        is_over.set()
        thread.join()


def test_mail_is_not_sent_without_required_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    sink = EmailReceiverConfig(kind="smtp", url_env=URL_ENV, sender_env="MLOPS_TEST_FROM", to_env="MLOPS_TEST_FROM")
    monkeypatch.setenv("MLOPS_TEST_FROM", "mlops@example.org")
    with smtp_receiver() as receiver:
        monkeypatch.setenv(URL_ENV, f"smtp://127.0.0.1:{receiver.port}")
        with pytest.raises(DependencyUnavailable, match="STARTTLS"):
            send_notification(sink, PAYLOAD, settings())
    assert receiver.emails == []


@pytest.mark.filterwarnings("default")
def test_apprise_notifies_its_receivers(monkeypatch: pytest.MonkeyPatch) -> None:
    with http_receiver() as receiver:
        monkeypatch.setenv(URL_ENV, f"json://127.0.0.1:{receiver.port}/hook")
        send_notification(AppriseReceiverConfig(kind="apprise", url_env=URL_ENV), PAYLOAD, settings())
        receiver.status = 500
        with pytest.raises(DependencyUnavailable, match="could not notify all"):
            send_notification(AppriseReceiverConfig(kind="apprise", url_env=URL_ENV), PAYLOAD, settings())
    assert receiver.bodies[0]["title"].startswith("[warning] m: 2 of 9")


def test_the_log_gets_a_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="mlops.alerts"):
        send_notification(LogReceiverConfig(kind="log"), PAYLOAD, settings())
    assert [record.levelname for record in caplog.records] == ["WARNING"]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with http_receiver() as other, http_receiver() as receiver:
        receiver.status, receiver.response_headers = status, {"Location": other.url}
        monkeypatch.setenv(URL_ENV, receiver.url)
        with pytest.raises(DependencyUnavailable, match=f"responded with {status}; redirects are not followed"):
            send_notification(make_webhook(), PAYLOAD, settings())
    assert other.bodies == []


@pytest.mark.parametrize("way", [{"wait_s": 1.0}, {"drip_s": 0.05}])
def test_a_slow_receiver_is_cut_at_its_deadline(way: dict[str, float], monkeypatch: pytest.MonkeyPatch) -> None:
    with http_receiver() as receiver:
        receiver.delay_s, receiver.byte_interval_s = way.get("wait_s", 0.0), way.get("drip_s", 0.0)
        monkeypatch.setenv(URL_ENV, receiver.url)
        began = time.monotonic()
        with pytest.raises(DependencyUnavailable, match=r"within 0.3 s|timed out"):
            send_notification(make_webhook(timeout_s=0.3), PAYLOAD, settings())
        assert time.monotonic() - began < 0.9


def test_the_deadline_applies_to_tls() -> None:
    """TLS takes over the socket that it is given; a handshake that nobody answers ends all the same."""
    ours, theirs = socket.socketpair()
    ours.settimeout(30)
    began = time.monotonic()
    with theirs, pytest.raises(TimeoutError, match=r"within 0\.2 s"), close_socket_after(ours, 0.2):
        ssl.create_default_context().wrap_socket(ours, server_hostname="localhost")
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("http://elsewhere.example/hook", "host elsewhere.example is not declared"),
        ("https://localhost.evil.example/", "is not declared"),
        ("http://public.example/hook", "http to public.example is not encrypted"),
        ("ftp://localhost/", "the address is not valid"),
        ("https://localhost@evil.example/", "the address is not valid"),
        ("http://localhost:99999/", "the port is not valid"),
    ],
)
def test_undeclared_hosts_are_refused_without_leaking_the_url(
    address: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(URL_ENV, address)
    with pytest.raises(ConfigError, match=message) as caught:
        send_notification(make_webhook(), PAYLOAD, settings(allowed_hosts=("public.example",)))
    assert "/hook" not in str(caught.value)


def test_an_unset_url_is_reported_by_variable_name() -> None:
    with pytest.raises(ConfigError, match="MLOPS_TEST_URL is not set"):
        send_notification(make_webhook(), PAYLOAD, settings())


@pytest.mark.parametrize(
    ("address", "is_public"),
    [
        ("93.184.215.14", True), ("2606:2800:21f::1", True),
        ("127.0.0.1", False), ("10.1.2.3", False), ("172.16.0.1", False), ("192.168.1.1", False),
        ("169.254.169.254", False), ("100.64.0.1", False), ("0.0.0.0", False), ("224.0.0.1", False),
        ("::1", False), ("fe80::1%eth0", False), ("fd00::1", False), ("::ffff:10.0.0.1", False),
        ("64:ff9b::7f00:1", False), ("2002:7f00:1::", False),
    ],
)  # fmt: skip
def test_private_and_public_addresses_are_distinguished(address: str, is_public: bool) -> None:
    assert _is_public(address) is is_public


def test_a_host_that_resolves_to_a_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name server says what it likes: what is connected to is what was checked, looked up once."""
    asked = []

    def look_up(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(safe_post.socket, "getaddrinfo", look_up)
    hosts = AllowedHosts(("hooks.example",), ())
    with http_receiver() as receiver, pytest.raises(DependencyUnavailable, match="has only private addresses"):
        post_to_allowed_host(
            f"https://hooks.example:{receiver.port}/", b"{}", {}, hosts=hosts, timeout_s=1, setting_name=URL_ENV
        )
    assert (asked, receiver.bodies) == (["hooks.example"], [])


def test_an_unreachable_receiver_is_named_without_its_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URL_ENV, f"http://localhost:{free_port()}/secret")
    with pytest.raises(DependencyUnavailable, match="localhost: ConnectionRefusedError") as caught:
        send_notification(make_webhook(), PAYLOAD, settings())
    assert "secret" not in str(caught.value)


def test_a_literal_url_in_the_settings_is_refused() -> None:
    words = ["alerts=chat_and_mail", "alerts.receivers.chat.url_env='https://hooks.slack.com/x'"]
    with pytest.raises(ConfigError, match=r"alerts\.receivers\.chat\.url_env"):
        build_config(compose(words, conf=ROOT / "conf").values, where="conf/")


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("+alerts.rules.drift.above_share=0.1", "takes no `above_share`"),
        ("~alerts.rules.no_traffic.above_minutes", "needs `above_minutes`, its threshold"),
        ("alerts.rules.drift.severity=loud", "alerts.rules.drift.severity"),
    ],
)
def test_an_inconsistent_rule_is_refused(word: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_config(compose([word], conf=ROOT / "conf").values, where="conf/")


def test_a_receiver_of_an_extension_gets_the_message_and_its_settings(extension_tables: None) -> None:
    received: list[tuple[str, Any]] = []
    define_receiver("list")(lambda payload, settings: received.append((payload["title"], settings["room"])))
    receiver = ExtensionReceiverConfig(kind="extension", name="list", settings={"room": "ops"})
    send_notification(receiver, PAYLOAD, settings())
    assert received == [(PAYLOAD["title"], "ops")]


def test_an_error_of_a_receiver_of_an_extension_is_tried_again(extension_tables: None) -> None:
    define_receiver("broken")(lambda _, settings: settings["absent"])
    receiver = ExtensionReceiverConfig(kind="extension", name="broken")
    with pytest.raises(DependencyUnavailable, match=r"receiver broken of the extension .*: KeyError: 'absent'"):
        send_notification(receiver, PAYLOAD, settings())
    with pytest.raises(UnknownOption, match=r"alerts\.receivers\.name: 'other' is not known; known: broken"):
        send_notification(receiver.model_copy(update={"name": "other"}), PAYLOAD, settings())
