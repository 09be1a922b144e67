"""A message waits for its retry and its claim, and not for a clock that was ahead."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from pipeline import state as store
from pipeline.state.tables import alert_deliveries

if TYPE_CHECKING:
    from pathlib import Path

NOW, SECOND, DAY = 1_700_000_000_000_000, 1_000_000, 86_400_000_000


@pytest.mark.parametrize("column", ["due_at", "claimed_until"])
@pytest.mark.parametrize(
    ("ahead", "is_due"),
    [(-DAY, True), (0, True), (SECOND, False), (30 * SECOND, False), (3600 * SECOND, True), (3650 * DAY, True)],
)
def test_a_wait_that_is_longer_than_any_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, column: str, ahead: int, is_due: bool
) -> None:
    monkeypatch.delenv(store.STATE_URL_ENV, raising=False)
    state = store.open_state(tmp_path)
    with state.writing() as connection:
        store.add_delivery(connection, 1, "hook", "key", {}, at=NOW)
        connection.execute(update(alert_deliveries).values(**{column: NOW + ahead}))
        assert store.has_due_delivery(connection, at=NOW) is is_due
        assert (store.claim_delivery(connection, at=NOW, until=NOW + SECOND) is not None) is is_due
    state.close()
