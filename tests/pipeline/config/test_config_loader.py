"""An invalid setting is an error with its file, key path, found value and accepted values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pipeline.config.config_loader import build_config, load_params
from pipeline.errors import ConfigError
from tests.fixtures.composed_config import composed

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def shipped() -> dict[str, Any]:
    return composed().values


def _with(values: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    key, _, rest = path.partition(".")
    return {**values, key: _with(values.get(key, {}), rest, value) if rest else value}


def test_the_shipped_settings_are_typed_and_frozen(shipped: dict[str, Any]) -> None:
    config = build_config(shipped, where="params.yaml")
    assert (config.seed, config.data.target.positive, config.training.threshold.value) == (42, "Introvert", 0.5)
    with pytest.raises(ValueError, match="frozen"):
        config.seed = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("seed", "abc", 'p.yaml: seed: found "abc"; input should be a valid integer'),
        ("seed", 1.5, "p.yaml: seed: found 1.5"),
        ("seed", True, "p.yaml: seed: found true"),
        ("drift.alpha", 0.7, "p.yaml: drift.alpha: found 0.7; input should be less than 0.5"),
        (
            "drift.alhpa",
            0.1,
            (
                "p.yaml: drift.alhpa: is not a key here; known: alpha, categorical, consecutive_windows, multivariate,"
                " numeric; did you mean 'alpha'"
            ),
        ),
        (
            "training.calibration",
            "platt",
            "p.yaml: training.calibration: found \"platt\"; input should be 'none', 'sigmoid'",
        ),
        (
            "data.source",
            {"kind": "csv", "path": "data/external/a.csv", "decimal": ",", "thousands": ","},
            "p.yaml: data.source: thousands: ',' is the decimal sign too",
        ),
        (
            "data.source",
            {"kind": "csv", "path": "data/external/a.csv", "comment": "#", "delimiter": "#"},
            "p.yaml: data.source: comment: '#' is the delimiter too",
        ),
        (
            "data.target.positive",
            "Ambivert",
            "p.yaml: data.target: positive: 'Ambivert' is not one of Extrovert, Introvert",
        ),
        (
            "data.target.classes",
            ["a\x1eb", "c"],
            "p.yaml: data.target: classes: 'a\\x1eb' contains the character U+001E",
        ),
        ("data.columns.Stage_fear.dtype", "text", "p.yaml: data.columns.Stage_fear.dtype: found"),
        ("data.columns.Stage_fear.rle", "id", "did you mean 'role'"),
        ("data.source", {"kind": "csv"}, "p.yaml: data.source.path: is missing"),
        ("data.source", {"kind": "ftp"}, "p.yaml: data.source: found"),
        (
            "validation.rules.missing.error",
            0.01,
            "p.yaml: validation.rules.missing: warning, error and critical must not fall",
        ),
        ("validation.rules.nonsense", {}, "nonsense"),
    ],
)
def test_an_invalid_setting_is_named(shipped: dict[str, Any], path: str, value: object, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        build_config(_with(shipped, path, value), where="p.yaml")
    assert message in str(error.value)


def test_a_missing_setting_is_named(shipped: dict[str, Any]) -> None:
    values = {key: value for key, value in shipped.items() if key != "drift"}
    with pytest.raises(ConfigError, match=r"p\.yaml: drift: is missing"):
        build_config(values, where="p.yaml")


def test_the_override_that_sets_an_invalid_value_is_named() -> None:
    composition = composed("drift.alpha=0.9")
    with pytest.raises(ConfigError, match=r"^drift\.alpha=0\.9: drift\.alpha: found 0\.9"):
        build_config(composition.values, where="conf", origin=composition.origin)


def test_at_most_ten_invalid_settings_are_listed(shipped: dict[str, Any]) -> None:
    values = {**shipped, **{f"strange{n}": n for n in range(30)}}
    with pytest.raises(ConfigError) as error:
        build_config(values, where="p.yaml")
    assert len(str(error.value).splitlines()) == 10


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match="has no keys"):
        load_params(tmp_path / "params.yaml")
