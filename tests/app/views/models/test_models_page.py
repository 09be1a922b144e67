"""The models page shows gates, metrics and the audit trail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.app.conftest import app_page, tables_of

if TYPE_CHECKING:
    from tests.fixtures.workspace import Workspace

pytestmark = pytest.mark.xdist_group("app")


def test_the_models_page_shows_gates_and_the_audit_trail(project: Workspace) -> None:
    at = app_page("models")
    gates = next(table for table in tables_of(at.run()) if "Gate" in table.columns)
    at.query_params["models_tab"] = "Audit trail"
    audit = next(table for table in tables_of(at.run()) if "Generation" in table.columns)
    assert set(gates["Result"]) == {"pass"}
    assert list(audit["Action"])[-2:] == ["promote", "register"]  # entries of other tests are above
