"""Trials and retrains with plain values, for tests of what reads them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pipeline.state import Retrain, Trial

__all__ = ["make_retrain", "make_trial"]

_TRIAL = Trial(
    model="m",
    purpose="promotion",
    method="replay",
    champion=1,
    champion_digest="a" * 64,
    challenger=2,
    challenger_digest="b" * 64,
    salt="salt",
    settings={},
    fresh_from=0,
    opened_at=0,
    opened_by="ada",
    step_at=0,
)
_RETRAIN = Retrain("m", "degradation", 0, "loop", 0)


def make_trial(**changes: Any) -> Trial:
    return replace(_TRIAL, **changes)


def make_retrain(**changes: Any) -> Retrain:
    return replace(_RETRAIN, **changes)
