"""Databases on a real PostgreSQL whose accounts have their rights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline import state as store
from tests.fixtures import postgresql_server
from tests.pipeline.state.database_accounts import Accounts, fill_database

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def accounts(postgresql: str) -> Accounts:
    address = postgresql_server.new_database(postgresql, template=postgresql_server.template_database(postgresql))
    owner = store.connect_to(address, setting_name="here")
    fill_database(owner)
    store.apply_grants(owner)
    owner.close()
    return Accounts(address)


@pytest.fixture
def fresh(postgresql: str) -> Iterator[Accounts]:
    """The same for a test that changes it."""
    address = postgresql_server.new_database(postgresql, template=postgresql_server.template_database(postgresql))
    owner = store.connect_to(address, setting_name="here")
    fill_database(owner)
    store.apply_grants(owner)
    yield Accounts(address)
    owner.close()
