"""The panel of importance names the features that changed in the last window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline import state as store
from tests.app.conftest import app_page, errors_of, text_of
from tests.app.loop_history import opened_state
from tests.pipeline.monitoring.importance.test_importance_history import window_rows
from tests.pipeline.monitoring.log_fixtures import NOW

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.registry import ModelRegistry

pytestmark = pytest.mark.xdist_group("app")


def test_a_changed_feature_is_named(empty: Path, serving: Callable[[str], ModelRegistry]) -> None:
    package = serving("iris").load_model("iris_model")
    assert package.importance is not None
    first = max(package.importance.loss, key=lambda name: package.importance.loss[name].mean)
    at = app_page("models")
    at.query_params["models_tab"] = "Importance"
    assert "was not measured" in text_of(at.run())
    with opened_state(empty) as state, state.writing() as connection:
        rows = window_rows(package, NOW, reversed_feature=first)
        store.add_importances(connection, "iris_model", package.digest, rows)
    at.run()
    title = package.schema.columns[list(package.schema.feature_names).index(first)].label
    assert errors_of(at) == []
    assert f"importance of {title} differs" in text_of(at)
    assert "it needs no outcome" in text_of(at)
