"""A diagnosis becomes plain values for JSON."""

from __future__ import annotations

from pipeline.maintenance.diagnosis import Diagnosis


def test_a_diagnosis_becomes_plain_values() -> None:
    values = {"check": "git", "state": "ok", "detail": "commit 1a2b3c"}
    assert Diagnosis("git", "ok", "commit 1a2b3c").as_dict() == values
