"""The verdicts of a drift test."""

from __future__ import annotations

from typing import Literal

__all__ = ["DriftVerdict"]

DriftVerdict = Literal["stable", "watch", "drift", "not_enough_data", "not_evaluated"]
