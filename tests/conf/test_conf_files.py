"""Every file of conf/ composes, states the question that it answers, and stays short."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.config.composition import group_options
from pipeline.config.config_loader import build_config, load_scenario
from pipeline.config.root_config import Config
from tests.fixtures.composed_config import CONF, composed

if TYPE_CHECKING:
    from pathlib import Path

FILES = sorted(CONF.rglob("*.yaml"))
# Scenarios are read by `mlops simulate` alone and are no part of what is composed.
CHOICES = [
    (group, option) for group, members in group_options(CONF).items() for option in members if group != "scenario"
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(CONF).as_posix())
def test_the_first_line_states_the_question_of_the_file(path: Path) -> None:
    first = next(line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("# @package"))
    assert first.startswith("# ")
    assert "?" in first


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(CONF).as_posix())
def test_a_file_of_settings_is_short(path: Path) -> None:
    limit = {"data": 60, "profile": 80, "lifecycle": 60, "alerts": 60}.get(path.parent.name, 40)
    assert len(path.read_text(encoding="utf-8").splitlines()) <= limit


@pytest.mark.parametrize(("group", "option"), CHOICES)
def test_every_option_of_every_group_composes_to_valid_settings(group: str, option: str) -> None:
    composition = composed(f"{group}={option}")
    assert isinstance(build_config(composition.values, where="conf/", origin=composition.origin), Config)


@pytest.mark.parametrize("option", group_options(CONF)["scenario"])
def test_every_scenario_is_valid_and_names_no_feature(option: str) -> None:
    scenario = load_scenario(option, conf=CONF)
    conditions = [phase.flipped_outcome_where for phase in scenario.phases if phase.flipped_outcome_where is not None]
    columns = [change.column for phase in scenario.phases for change in (*phase.changes, *conditions)]
    kinds = [column.partition(" ")[0] for column in columns]
    assert set(kinds) <= {"number", "words"}
