"""Options of the command line replace settings, and a refused setting stops the start."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.errors import ConfigError, NotAllowed
from pipeline.serving.server_startup import start_server
from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def test_an_open_address_without_authentication_is_refused(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    with pytest.raises(NotAllowed, match="authentication"):
        start_server(state=tmp_path, host="0.0.0.0", authentication="none")


def test_a_refused_setting_stops_the_start(tmp_path: Path) -> None:
    params = (ROOT / "params.yaml").read_text(encoding="utf-8").replace("poll_interval_s: 0.25", "poll_interval_s: -1")
    assert "poll_interval_s: -1" in params
    (tmp_path / "params.yaml").write_text(params, encoding="utf-8")
    with pytest.raises(ConfigError, match="poll_interval_s"):
        start_server(state=tmp_path)
