"""Send what waits: at least once, by one sender at a time, again with growing pauses until the receiver takes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline import state as store
from pipeline.alerts.receivers import send_notification
from pipeline.errors import MlopsError

if TYPE_CHECKING:
    import threading

    from pipeline.config.groups.alerts_config import AlertsConfig
    from pipeline.state import Delivery, State

__all__ = ["DeliveryResult", "deliver_due_messages", "deliver_until_stopped"]

_US_PER_S = 1_000_000
# A sender that is killed is taken for dead after this, longer than any way of sending may take.
_CLAIM_TIMEOUT_S = 30
_MAX_RETRY_DELAY_S = 30
_POLL_INTERVAL_S = 1.0


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """What a call sent, what it could not send, and why the last of these did not leave."""

    n_sent: int = 0
    n_failed_receivers: int = 0
    error: str | None = None


def deliver_due_messages(state: State, config: AlertsConfig) -> DeliveryResult:
    """Send every message that is due, oldest first; a receiver that refuses one gets no other in this call.

    A message is noted as sent after it was taken, so a kill in between sends that one again; its key is the same.
    """
    with state.reading() as connection:
        if not store.has_due_delivery(connection, at=state.clock()):
            return DeliveryResult()
    n_sent, failed, error = 0, set[str](), None
    while True:
        at = state.clock()
        with state.writing() as connection:
            one = store.claim_delivery(
                connection, at=at, until=at + _CLAIM_TIMEOUT_S * _US_PER_S, excluded_receivers=failed
            )
        if one is None:
            return DeliveryResult(n_sent, len(failed), error)
        told = _try_send(state, config, one)
        with state.writing() as connection:
            if told is None:
                store.mark_delivered(connection, one, at=state.clock())
            else:
                store.mark_delivery_failed(
                    connection, one, told, due_at=state.clock() + _retry_delay_s(one.attempts) * _US_PER_S
                )
        if told is None:
            n_sent += one.receiver in config.receivers
        else:
            failed.add(one.receiver)
            error = f"{one.receiver}: {told}"


def deliver_until_stopped(stop: threading.Event, state: State, config: AlertsConfig) -> None:
    """Send what comes to wait, looking every second, until `stop` is set; a database that is away is waited for."""
    while not stop.wait(_POLL_INTERVAL_S):
        try:
            deliver_due_messages(state, config)
        except MlopsError:
            continue  # it is locked or away; what waits there still waits


def _try_send(state: State, config: AlertsConfig, delivery: Delivery) -> str | None:
    """Return None when the message was taken, or is of no use to anybody any more; otherwise why not."""
    try:
        sink = config.receivers.get(delivery.receiver)
        if sink is None:
            return _undeclared_receiver_error(state, delivery)
        send_notification(sink, delivery.payload, config)
    except MlopsError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - whatever a receiver does to one message must not stop the others
        return f"{type(error).__name__}: {error}"
    return None


def _undeclared_receiver_error(state: State, delivery: Delivery) -> str | None:
    """Return why a message to a receiver that is not declared waits; None where its incident is over."""
    with state.reading() as connection:
        if store.find_incident(connection, delivery.incident_seq).status == "resolved":
            return None
    return f"alerts.receivers has no {delivery.receiver} any more; declare it again, or resolve the incident"


def _retry_delay_s(attempts: int) -> int:
    return int(min(2 ** min(attempts, 10), _MAX_RETRY_DELAY_S))
