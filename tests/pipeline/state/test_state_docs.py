"""The page on the state database names every table, and columns that there are."""

from __future__ import annotations

import re

import pytest

from pipeline.state.tables import METADATA
from tests.fixtures.toy_dataset import ROOT

DOCUMENTED_TABLES = dict(
    re.findall(
        r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|$",
        (ROOT / "docs/reference/state.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
)


@pytest.mark.parametrize("table", METADATA.tables)
def test_a_table_is_described_with_columns_that_it_has(table: str) -> None:
    named = set(re.findall(r"`(\w+)`", DOCUMENTED_TABLES[table]))
    assert named
    assert named <= {column.name for column in METADATA.tables[table].columns}
