"""What was recorded while the clock was ahead does not count as fresh."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline import state as store

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

NOW, DAY = 1_700_000_000_000_000, 86_400_000_000


def test_moments_after_now_are_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(store.STATE_URL_ENV, raising=False)
    state = store.open_state(tmp_path)
    writer = store.PredictionWriter(state)
    row = dict.fromkeys(store.PredictionRow._fields, "x") | {
        "version": 1,
        "generation": 1,
        "confidence": 1.0,
        "latency_us": 1,
        "weight": 1.0,
        "idempotency_key": None,
        "subject": None,
    }
    moments = {"a": NOW - DAY, "b": NOW, "c": NOW + 400 * DAY}
    writer.write(
        [
            store.PredictionRow(**{**row, "model": "m", "prediction_id": name, "predicted_at": at})
            for name, at in moments.items()
        ]
    )
    writer.close()
    with state.writing() as connection:
        store.add_outcomes(connection, [("a", NOW - 5, "x", "api"), ("b", NOW + 400 * DAY, "x", "api")])
        fresh = store.read_freshness(connection, "m", at=NOW)
        later = store.read_freshness(connection, "m", at=NOW + 500 * DAY)
    assert (fresh.last_prediction_at, fresh.last_outcome_at) == (NOW, NOW - 5)
    assert (later.last_prediction_at, later.last_outcome_at) == (NOW + 400 * DAY, NOW + 400 * DAY)
    state.close()
