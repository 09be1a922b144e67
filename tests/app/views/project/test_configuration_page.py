"""The configuration page names the line of each value, the model before the generator of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.app.conftest import app_page, errors_of, tables_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.workspace import Workspace

pytestmark = pytest.mark.xdist_group("app")


def test_the_search_finds_a_setting_with_its_line(project: Workspace) -> None:
    at = app_page("configuration").run()
    at.text_input(key="config_search").set_value("training.folds").run()
    (table,) = tables_of(at)
    place = "conf/training/default.yaml"
    line = (project.root / place).read_text(encoding="utf-8").splitlines().index("folds: 2") + 1
    assert table.to_dict("records") == [{"Setting": "training.folds", "Value": "2", "Set in": f"{place}:{line}"}]


def test_the_model_is_before_the_weights_of_the_generator(empty: Path) -> None:
    at = app_page("configuration").run()
    groups = [expander.label.split("**")[1] for expander in at.expander]
    assert groups[:2] == ["project", "model"]
    assert groups[-1] == "data.profile"
    assert errors_of(at) == []
    assert empty.is_dir()
