"""What a project changed is what differs from the defaults that the engine ships."""

from __future__ import annotations

from pathlib import Path

from pipeline import files
from pipeline.config import default_settings
from pipeline.config.composition import compose
from pipeline.config.default_settings import ChangedDefault, changed_defaults, shipped_settings
from tests.fixtures.toy_dataset import ROOT


def test_the_recorded_defaults_are_those_of_conf() -> None:
    recorded = files.read_json(Path(default_settings.__file__).with_name("default_settings.json"))
    assert recorded == shipped_settings(ROOT / "conf"), "run `python -m pipeline.config.default_settings`"


def test_the_shipped_settings_have_no_change() -> None:
    assert changed_defaults(compose(conf=ROOT / "conf")) == []


def test_a_value_and_an_option_are_changes_with_their_defaults() -> None:
    composed = compose(["model=logistic_regression", "training.folds=7", "name=mine"], conf=ROOT / "conf")
    assert sorted(changed_defaults(composed), key=lambda change: change.key) == [
        ChangedDefault("model", "logistic_regression", "hist_gradient_boosting", has_default=True),
        ChangedDefault("name", "mine", "personality_model", has_default=True),
        ChangedDefault("training.folds", 7, 5, has_default=True),
    ]


def test_a_setting_without_a_default_is_a_change() -> None:
    composed = compose(["+model.estimator.warm_start=true"], conf=ROOT / "conf")
    assert changed_defaults(composed) == [ChangedDefault("model.estimator.warm_start", True, None, has_default=False)]
