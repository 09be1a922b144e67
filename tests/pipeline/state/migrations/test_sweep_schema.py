"""The migration creates the tables of sweeps as they are declared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import inspect

from pipeline.state.tables import METADATA

if TYPE_CHECKING:
    from pipeline import state as store


@pytest.mark.parametrize("name", ["sweeps", "sweep_trials"])
def test_a_table_has_the_declared_columns(state: store.State, name: str) -> None:
    with state.reading() as connection:
        columns = inspect(connection).get_columns(name)
    created = [(column["name"], bool(column["nullable"])) for column in columns]
    assert created == [(column.name, bool(column.nullable)) for column in METADATA.tables[name].columns]
