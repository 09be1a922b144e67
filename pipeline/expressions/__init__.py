"""Derived columns: expressions over declared columns, checked at composition and computed without `eval`."""

from __future__ import annotations

from pipeline.expressions.derived_columns import DerivedColumn, DerivedColumns

__all__ = ["DerivedColumn", "DerivedColumns"]
