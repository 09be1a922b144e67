"""What a receiver gets is visible, and a subject is one line."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.alerts.payloads import PAYLOAD_FORMATS, body_text, subject_line

HIDDEN = "\u202e\u200b\u00ad\u2066\ufe0f\U000e0041\x1b"
PAYLOAD: dict[str, Any] = {
    "event": "opened", "number": 3, "group": "quality", "model": "m", "severity": "warning",
    "title": f"a{HIDDEN}b drifted\n[critical] forged", "message": f"cause:\n  1. a{HIDDEN}b",
    "opened_at": 1_770_000_000_000_000, "last_seen_at": 1_770_000_000_000_000, "acknowledge": "mlops alerts ack 3",
}  # fmt: skip


@pytest.mark.parametrize("event", ["opened", "still open", "resolved"])
def test_a_subject_is_one_line_and_a_body_keeps_its_lines(event: str) -> None:
    payload = {**PAYLOAD, "event": event}
    assert "m: a b drifted [critical] forged" in subject_line(payload)
    assert "\n" not in subject_line(payload)
    assert "cause:\n  1. a b" in body_text(payload)


@pytest.mark.parametrize("form", ["slack", "alertmanager"])
def test_no_form_carries_an_invisible_character(form: str) -> None:
    assert not set(HIDDEN) & set(json.dumps(PAYLOAD_FORMATS[form](PAYLOAD), ensure_ascii=False))
