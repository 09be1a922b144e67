"""The configuration page names the file of each value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.app.conftest import app_page

if TYPE_CHECKING:
    from tests.fixtures.workspace import Workspace

pytestmark = pytest.mark.xdist_group("app")


def test_the_configuration_names_the_file_of_each_value(project: Workspace) -> None:
    at = app_page("configuration").run()
    at.text_input(key="config_search").set_value("training.folds").run()
    table = at.dataframe[0].value
    assert table.to_dict("records") == [{"Key": "training.folds", "Value": "2", "Set in": "conf/training/default.yaml"}]
