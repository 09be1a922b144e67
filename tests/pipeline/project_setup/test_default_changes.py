"""Defaults of two engines, as a project sees them."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.config.composition import compose
from pipeline.config.default_settings import engine_defaults
from pipeline.project_setup import create_project
from pipeline.project_setup.default_changes import default_changes

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.config.composition import Composition
    from pipeline.project_setup.default_changes import DefaultChange


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project with one setting of its own, `training.folds`."""
    folder = create_project(tmp_path_factory.mktemp("defaults") / "churn").folder
    config = folder / "conf" / "config.yaml"
    config.write_text(config.read_text() + "training:\n  folds: 7\n  extinct: 1\n")
    return folder


@pytest.fixture(scope="module")
def composition(project: Path) -> Composition:
    """Return the settings of the project."""
    return compose(conf=project / "conf")


def changes_from(recorded: dict[str, Any], composition: Composition | None) -> dict[str, DefaultChange]:
    return {change.key: change for change in default_changes(recorded, engine_defaults(), composition)}


def earlier(option: str, values: dict[str, Any], *removed: str) -> dict[str, Any]:
    """Return the defaults of an engine that had other values in one option."""
    defaults = copy.deepcopy(engine_defaults())
    defaults["options"][option] |= values
    for key in removed:
        del defaults["options"][option][key]
    return defaults


def test_equal_engines_have_no_changes(composition: Composition) -> None:
    assert changes_from(engine_defaults(), composition) == {}


def test_a_changed_default_has_both_values_and_what_it_does(composition: Composition) -> None:
    (change,) = changes_from(earlier("drift/default", {"drift.alpha": 0.5}), composition).values()
    current = engine_defaults()["options"]["drift/default"]["drift.alpha"]
    assert (change.kind, change.old, change.new, change.own_file) == ("changed", 0.5, current, None)
    assert str(change).startswith(f"drift.alpha: 0.5 -> {current}: ")
    assert len(change.description) > 10


def test_a_default_that_the_project_sets_itself_names_its_file(composition: Composition) -> None:
    change = changes_from(earlier("training/default", {"training.folds": 3}), composition)["training.folds"]
    assert change.own_file == "conf/config.yaml"
    assert str(change).endswith("; conf/config.yaml sets it itself")


def test_a_new_setting_has_its_value(composition: Composition) -> None:
    change = changes_from(earlier("drift/default", {}, "drift.alpha"), composition)["drift.alpha"]
    assert change.kind == "new"
    assert str(change).startswith(f"drift.alpha: new, {change.new}: ")


@pytest.mark.parametrize(
    ("key", "ending"), [("training.gone", ""), ("training.extinct", "; remove it from conf/config.yaml")]
)
def test_a_removed_setting_names_the_file_that_still_has_it(composition: Composition, key: str, ending: str) -> None:
    change = changes_from(earlier("training/default", {key: 5}), composition)[key]
    assert str(change) == f"{key}: removed, was 5{ending}"


def test_options_that_the_project_does_not_use_are_left_out(composition: Composition) -> None:
    assert changes_from(earlier("model/svm", {"model.seed": 5}), composition) == {}


def test_another_default_option_is_one_change(composition: Composition) -> None:
    recorded = copy.deepcopy(engine_defaults())
    recorded["choices"]["stream"] = "kafka"
    change = changes_from(recorded, composition)["stream"]
    assert (change.kind, change.old, change.new) == ("changed", "kafka", "none")


def test_settings_that_do_not_compose_still_show_the_defaults() -> None:
    assert list(changes_from(earlier("drift/default", {"drift.alpha": 0.5}), None)) == ["drift.alpha"]
