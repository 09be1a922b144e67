"""Too few rows are never drawn as drift, and after a promotion each number names its version."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.app.conftest import app_page, errors_of, tables_of, text_of
from tests.fixtures.small_packages import write_small_package
from tests.pipeline.monitoring.log_fixtures import MODEL_NAME, hours_us, live_rows, write_log

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from streamlit.testing.v1 import AppTest

    from pipeline.registry import ModelRegistry

pytestmark = pytest.mark.xdist_group("app")


@pytest.fixture
def promoted(empty: Path, serving: Callable[[str], ModelRegistry]) -> Path:
    """A project whose version 1 made 300 predictions, before version 2 was promoted."""
    registry = serving("personality")
    _log(empty, 300, "before")
    write_small_package(empty / "second", "personality", "model=naive_bayes")
    registry.register_model("second", MODEL_NAME)
    registry.promote_model(MODEL_NAME, 2, "Production", force=True, reason="the second")
    return empty


def _log(root: Path, n: int, prefix: str) -> None:
    now = time.time_ns() // 1000
    write_log(root, live_rows(n), start=now - hours_us(0.5), stop=now, prefix=prefix)


def _text(name: str) -> tuple[AppTest, str]:
    at = app_page(name).run()
    assert errors_of(at) == []
    return at, text_of(at).replace("\\", "")


def test_after_a_promotion_the_overview_names_the_version_of_each_number(promoted: Path) -> None:
    at, text = _text("overview")
    assert any(
        "Version 2 made no predictions in the last 24 hours; version 1 made 300." in info.value for info in at.info
    )
    assert "**Feature drift of version 1, last 24 hours**" in text
    assert "**Performance of version 1 against training, last 24 hours**" in text
    help_text = next(card.proto.help for card in at.metric if card.label == "Open incidents")
    assert "Version 2 serves" in help_text
    assert "No predictions in the last 24 hours" not in text


def test_a_window_without_rows_of_a_version_names_the_traffic_of_the_others(promoted: Path) -> None:
    _, text = _text("monitoring")
    assert "Version 2 made no predictions in the last 24 hours; version 1 made 300." in text


@pytest.mark.parametrize("n_rows", [1, 199])
def test_too_few_rows_are_no_drift_on_any_page(n_rows: int, promoted: Path) -> None:
    _log(promoted, n_rows, "after")
    at, text = _text("monitoring")
    assert f"not enough data: {n_rows} of 200 rows needed" in text
    assert f"No estimates: {n_rows} of 200 predictions needed." in text
    assert {card.label: card.value for card in at.metric}["Feature drift"] == "unknown"
    assert not any("Drift by feature" in line or "Distribution" in line for line in text.splitlines())
    assert not at.selectbox or "drift_column" not in [box.key for box in at.selectbox]
    performance = next(table for table in tables_of(at) if "Estimated" in table.columns)
    assert set(performance["Estimated"]) == {"-"}


def test_enough_rows_are_drawn(promoted: Path) -> None:
    _log(promoted, 250, "after")
    at, text = _text("monitoring")
    assert "**Drift by feature**" in text
    assert "drift_column" in [box.key for box in at.selectbox]
    _, overview = _text("overview")
    assert "**Feature drift of version 2, last 24 hours**" in overview
