"""Ids that come with rows are members of the response, each id with its own row."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from pipeline.schema import Column, Schema, Target
from pipeline.serving.rows.echoed_ids import echoed_columns, echoed_id_names, echoed_json

TARGET = Target("answer", ("no", "yes"), "yes")


def test_only_ids_that_are_stored_in_full_are_repeated() -> None:
    roles: list[Any] = ["feature", "id", "time", "ignore"]
    columns = [Column(role, "text", "string", role=role) for role in roles]
    private = Column("person", "text", "string", role="id", store="drop")
    assert echoed_id_names(Schema("made", (*columns, private), TARGET)) == ("id",)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (7, 7),
        ("a", "a"),
        (None, None),
        (float("nan"), None),
        (Decimal("1.5"), "1.5"),
        (datetime(2026, 1, 31), "2026"),  # noqa: DTZ001 - as Parquet gives it
    ],
)
def test_any_value_of_an_id_has_a_json_form(value: Any, expected: Any) -> None:
    member = json.loads(f"{{{echoed_json(('row',), {'row': value})[1:]}}}")["ids"]["row"]
    assert (member[:4] if isinstance(member, str) else member) == (expected[:4] if expected == "2026" else expected)


def test_columns_of_ids_become_a_member_for_each_row() -> None:
    assert echoed_columns(("a", "b"), {"b": [1, None], "size": [2, 3]}) == [',"ids":{"b":1}', ',"ids":{"b":null}']
    assert echoed_columns(("a",), {"size": [2, 3]}) == []
