"""Deliver due messages at least once, by one sender at a time, with exponential backoff."""

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
# A claim of a killed sender expires after this; no receiver may take longer.
_CLAIM_TIMEOUT_S = 30
_MAX_RETRY_DELAY_S = 30
_POLL_INTERVAL_S = 1.0


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """How many messages were sent, how many receivers failed, and the error of the last failure."""

    n_sent: int = 0
    n_failed_receivers: int = 0
    error: str | None = None


def deliver_due_messages(state: State, config: AlertsConfig) -> DeliveryResult:
    """Send every due message, oldest first; a receiver that fails gets no other message in this call.

    A message is marked after it was accepted, so a kill in between sends it again, with the same key.
    """
    with state.reading() as connection:
        if not store.has_due_delivery(connection, at=state.clock()):
            return DeliveryResult()
    n_sent, failed, error = 0, set[str](), None
    while True:
        at = state.clock()
        with state.writing() as connection:
            delivery = store.claim_delivery(
                connection, at=at, until=at + _CLAIM_TIMEOUT_S * _US_PER_S, excluded_receivers=failed
            )
        if delivery is None:
            return DeliveryResult(n_sent, len(failed), error)
        failure = _try_send(state, config, delivery)
        with state.writing() as connection:
            if failure is None:
                store.mark_delivered(connection, delivery, at=state.clock())
            else:
                store.mark_delivery_failed(
                    connection, delivery, failure, due_at=state.clock() + _retry_delay_s(delivery.attempts) * _US_PER_S
                )
        if failure is None:
            n_sent += delivery.receiver in config.receivers
        else:
            failed.add(delivery.receiver)
            error = f"{delivery.receiver}: {failure}"


def deliver_until_stopped(stop: threading.Event, state: State, config: AlertsConfig) -> None:
    """Deliver due messages every second until `stop` is set; an unavailable database is tried again."""
    while not stop.wait(_POLL_INTERVAL_S):
        try:
            deliver_due_messages(state, config)
        except MlopsError:
            continue  # it is locked or unavailable; the messages stay in it


def _try_send(state: State, config: AlertsConfig, delivery: Delivery) -> str | None:
    """Return None when the message was accepted or is obsolete, otherwise the error."""
    try:
        receiver = config.receivers.get(delivery.receiver)
        if receiver is None:
            return _undeclared_receiver_error(state, delivery)
        send_notification(receiver, delivery.payload, config)
    except MlopsError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - an error of one receiver must not stop the others
        return f"{type(error).__name__}: {error}"
    return None


def _undeclared_receiver_error(state: State, delivery: Delivery) -> str | None:
    """Return the error of a message to an undeclared receiver; None when its incident is resolved."""
    with state.reading() as connection:
        if store.find_incident(connection, delivery.incident_seq).status == "resolved":
            return None
    return f"alerts.receivers no longer declares {delivery.receiver}; declare it again, or resolve the incident"


def _retry_delay_s(attempts: int) -> int:
    return int(min(2 ** min(attempts, 10), _MAX_RETRY_DELAY_S))
