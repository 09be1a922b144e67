"""Write one message in the forms that receivers know: ours, Slack's, Alertmanager's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.files import sha256
from pipeline.lookup import LookupTable
from pipeline.text import iso_timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["PAYLOAD_FORMATS", "body_text", "subject_line"]

PAYLOAD_FORMATS: LookupTable[Callable[[Mapping[str, Any]], dict[str, Any]]] = LookupTable("alerts.receivers.body")
_MAX_SLACK_CHARS = 2900  # a block of Slack takes 3,000 signs


def subject_line(payload: Mapping[str, Any]) -> str:
    """Return the line that a person sees first."""
    word = "resolved" if payload["event"] == "resolved" else payload["severity"]
    again = " (still there)" if payload["event"] == "still there" else ""
    return f"[{word}] {payload['title']}{again}"


def body_text(payload: Mapping[str, Any]) -> str:
    """Return what stands below the subject."""
    if payload["event"] == "resolved":
        return f"Incident {payload['number']} is over.\n{payload['message']}"
    return f"{payload['message']}\nWhen somebody looks at it: {payload['acknowledge']}"


@PAYLOAD_FORMATS.add("json")
def _json_payload(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {**payload, "subject": subject_line(payload), "text": body_text(payload)}


@PAYLOAD_FORMATS.add("slack")
def _slack_payload(payload: Mapping[str, Any]) -> dict[str, Any]:
    head, below = _escape_mrkdwn(subject_line(payload)), _escape_mrkdwn(body_text(payload))
    said = f"*{head[:_MAX_SLACK_CHARS]}*"
    return {
        "text": head,
        "blocks": [
            {"type": "section", "text": {"type": "mrkdwn", "text": said}},
            {"type": "section", "text": {"type": "mrkdwn", "text": below[:_MAX_SLACK_CHARS]}},
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
    notes = {"summary": payload["title"], "description": body_text(payload)}
    ended = payload["last_seen_at"] if status == "resolved" else None
    group_key = f'{{}}:{{model="{payload["model"]}", group="{payload["group"]}"}}'
    alert = {
        "status": status,
        "labels": labels,
        "annotations": notes,
        "startsAt": iso_timestamp(payload["opened_at"]),
        "endsAt": "0001-01-01T00:00:00Z" if ended is None else iso_timestamp(ended),
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
        "commonAnnotations": notes,
        "externalURL": "",
        "alerts": [alert],
    }


def _escape_mrkdwn(words: str) -> str:
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
