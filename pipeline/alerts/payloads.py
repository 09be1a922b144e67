"""Format one message for receivers: generic JSON, Slack, Alertmanager."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.files import sha256
from pipeline.lookup import LookupTable
from pipeline.text import iso_timestamp, visible_line, visible_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["PAYLOAD_FORMATS", "body_text", "subject_line"]

PAYLOAD_FORMATS: LookupTable[Callable[[Mapping[str, Any]], dict[str, Any]]] = LookupTable("alerts.receivers.body")
_MAX_SLACK_CHARS = 2900  # a block of Slack takes 3,000 characters


def subject_line(payload: Mapping[str, Any]) -> str:
    """Return the subject of a message, on one line of visible characters."""
    status = "resolved" if payload["event"] == "resolved" else payload["severity"]
    suffix = " (still open)" if payload["event"] == "still open" else ""
    return visible_line(f"[{status}] {_headline(payload)}{suffix}")


def _headline(payload: Mapping[str, Any]) -> str:
    return visible_line(f"{payload['model']}: {payload['title']}")


def body_text(payload: Mapping[str, Any]) -> str:
    """Return the text below the subject, in visible characters."""
    if payload["event"] == "resolved":
        return visible_text(f"Incident {payload['number']} is resolved.\n{payload['message']}")
    return visible_text(f"{payload['message']}\nAcknowledge with: {payload['acknowledge']}")


@PAYLOAD_FORMATS.add("json")
def _json_payload(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {**payload, "subject": subject_line(payload), "text": body_text(payload)}


@PAYLOAD_FORMATS.add("slack")
def _slack_payload(payload: Mapping[str, Any]) -> dict[str, Any]:
    subject, body = _escape_mrkdwn(subject_line(payload)), _escape_mrkdwn(body_text(payload))
    return {
        "text": subject,
        "blocks": [
            {"type": "section", "text": {"type": "mrkdwn", "text": f"*{subject[:_MAX_SLACK_CHARS]}*"}},
            {"type": "section", "text": {"type": "mrkdwn", "text": body[:_MAX_SLACK_CHARS]}},
        ],
    }


@PAYLOAD_FORMATS.add("alertmanager")
def _alertmanager_payload(payload: Mapping[str, Any]) -> dict[str, Any]:
    status = "resolved" if payload["event"] == "resolved" else "firing"
    labels = {
        "alertname": f"mlops_{payload['group']}",
        "model": payload["model"],
        "group": payload["group"],
        "severity": payload["severity"],
    }
    annotations = {"summary": _headline(payload), "description": body_text(payload)}
    ended_at = payload["last_seen_at"] if status == "resolved" else None
    group_key = f'{{}}:{{model="{payload["model"]}", group="{payload["group"]}"}}'
    alert = {
        "status": status,
        "labels": labels,
        "annotations": annotations,
        "startsAt": iso_timestamp(payload["opened_at"]),
        "endsAt": "0001-01-01T00:00:00Z" if ended_at is None else iso_timestamp(ended_at),
        "generatorURL": "",
        "fingerprint": sha256(group_key.encode())[:16],
    }
    return {
        "version": "4",
        "groupKey": group_key,
        "truncatedAlerts": 0,
        "status": status,
        "receiver": "mlops",
        "groupLabels": {"model": payload["model"], "group": payload["group"]},
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": "",
        "alerts": [alert],
    }


def _escape_mrkdwn(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
