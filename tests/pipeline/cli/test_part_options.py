"""The engine of a command is that of the settings, with what its options change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.cli.part_options import EngineOptions
from pipeline.errors import ConfigError
from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def test_options_change_the_engine_of_the_settings() -> None:
    default = EngineOptions().load(ROOT)
    assert (default.kind, default.workers) == ("local", 1)
    changed = EngineOptions(n_workers=2, part_rows=7).load(ROOT)
    assert changed == default.model_copy(update={"workers": 2, "part_rows": 7})


def test_an_engine_is_named_by_its_file(tmp_path: Path) -> None:
    (tmp_path / "four.yaml").write_text("kind: local\nworkers: 4\nretries: 0\npart_rows: 9\n", encoding="utf-8")
    engine = EngineOptions(str(tmp_path / "four.yaml"), part_rows=5).load(ROOT)
    assert (engine.workers, engine.retries, engine.part_rows) == (4, 0, 5)
    with pytest.raises(ConfigError, match=r"'lokal' is no engine; known: .*local"):
        EngineOptions("lokal").load(ROOT)
