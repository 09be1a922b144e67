"""The help page lists each setting with type, unit and bounds."""

from __future__ import annotations

import pytest

from pipeline.config.composition import flatten_settings
from pipeline.config.stage_help import find_setting, iter_settings, stage_help
from tests.fixtures.composed_config import CONF, composed


@pytest.mark.parametrize(
    ("key", "type_name", "unit"),
    [
        ("seed", "integer >= 0 <= 4294967295", None),
        ("training.folds", "integer >= 2 <= 50", "folds"),
        ("training.calibration", "none or sigmoid or isotonic", None),
        ("training.class_weight", "balanced or null", None),
        ("evaluation.metrics", "list of text", None),
        ("serving.limits.max_body_mb", "integer > 0", "MB"),
        ("promotion.max_latency_ms", "number > 0", "ms"),
    ],
)
def test_a_setting_has_type_bounds_and_unit(key: str, type_name: str, unit: str | None) -> None:
    setting = find_setting(key, composed().values)
    assert setting is not None
    assert (setting.type, setting.unit) == (type_name, unit)


def test_an_unknown_key_is_no_setting() -> None:
    assert find_setting("training.fold", composed().values) is None


def test_every_leaf_outside_of_mappings_is_listed() -> None:
    listed = {setting.key for setting in iter_settings(composed().values)}
    mappings = (
        "data.",
        "alerts.",
        "model.estimator.",
        "validation.rules.",
        "promotion.metric_limits.",
        "fairness.metrics.",
    )
    assert {key for key, _ in flatten_settings(composed().values) if not key.startswith(mappings)} <= listed


def test_every_setting_outside_of_mappings_has_a_description() -> None:
    undescribed = [s.key for s in iter_settings(composed().values) if not s.description and not s.key.endswith("kind")]
    assert undescribed == []


def test_the_page_marks_the_option_in_use_and_hides_the_group_of_hydra() -> None:
    page = stage_help("train", conf=CONF)
    assert "hist_gradient_boosting*" in page
    assert "hydra:" not in page
    assert "A manual call cross-validates and tracks a run" in page
    assert "A manual call" not in stage_help("split", conf=CONF)
