"""An engine is opened by the kind that its settings name."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config.config_loader import load_engine
from pipeline.engines.part_engine import ENGINES
from pipeline.errors import ConfigError

CONF = Path(__file__).parents[3] / "conf"


def test_each_engine_of_conf_has_an_implementation() -> None:
    kinds = {load_engine(path.stem, conf=CONF).kind for path in (CONF / "engine").glob("*.yaml")}
    assert kinds == set(ENGINES)


def test_an_unknown_engine_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"'locall' is no engine; known: .*local.*did you mean 'local'\?"):
        load_engine("locall", conf=CONF)
