"""An invalid scenario is an error with file, key and accepted values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.config.config_loader import load_scenario
from pipeline.errors import ConfigError
from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from pathlib import Path

CALM = (ROOT / "conf/scenario/calm.yaml").read_text(encoding="utf-8")


def error_message(tmp_path: Path, old: str, new: str) -> str:
    assert CALM.count(old) == 1
    path = tmp_path / "odd.yaml"
    path.write_text(CALM.replace(old, new), encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load_scenario(str(path))
    return str(error.value).removeprefix(str(path))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("{name: calm, seconds: 90}", "{name: calm, second: 90, seconds: 9}", ": phases.0.second: is not a key here"),
        (
            "{name: calm, seconds: 90}",
            "{name: calm, seconds: 0}",
            ": phases.0.seconds: found 0; input should be greater",
        ),
        ("kind: declared", "kind: file", ": rows.path: is missing"),
        ("share: 0.6", "share: 60", ": outcomes.share: found 60"),
        (
            "{name: calm, seconds: 90}",
            "{name: calm, seconds: 9, changes: [{column: number 1, shift: 1.0, missing: 0.5}]}",
            ": phases.0.changes.0: takes exactly one of shift, word with share, missing",
        ),
        (
            "{name: calm, seconds: 90}",
            "{name: calm, seconds: 9, flipped_outcome_where: {column: number 1}}",
            ": phases.0.flipped_outcome_where: takes exactly one of word, above",
        ),
        (
            "{name: calm, seconds: 90}",
            "{name: calm, seconds: 9, flipped_outcome_callers: 2}",
            ": phases[0].flipped_outcome_callers: is 2; expected at most outcomes.n_callers, 1",
        ),
    ],
)
def test_an_invalid_setting_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert error_message(tmp_path, old, new).startswith(message)


def test_an_unknown_key_lists_the_known_ones(tmp_path: Path) -> None:
    message = error_message(tmp_path, "seconds: 90", "seconds: 90, bad_request: 0.5")
    assert message.endswith(
        "known: bad_request_share, changes, flipped_outcome_callers, flipped_outcome_share, flipped_outcome_where,"
        " name, rows_per_s, seconds;"
        " did you mean 'bad_request_share'?"
    )


def test_an_unknown_scenario_lists_the_known_ones() -> None:
    with pytest.raises(
        ConfigError, match=r"'driftt' is no scenario; known: broken_challenger, calm, concept.*did you mean 'drift'\?"
    ):
        load_scenario("driftt", conf=ROOT / "conf")
