"""conf/ composes to the same bytes as in DVC, and every value has an origin."""

from __future__ import annotations

from pathlib import Path

import pytest
from dvc.utils.hydra import compose_and_dump

from pipeline.config.composition import Origin, compose, flatten_settings, group_options
from pipeline.errors import ConfigError
from tests.fixtures.composed_config import CONF, composed

REPOSITORY = Path(__file__).parents[3]


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["seed=1"],
        ["model=random_forest", "training.folds=3"],
        ["data/profile=original"],
        ["+model.estimator.verbose=0", "~model.estimator.max_iter"],
        ["model.estimator.learning_rate=0.1", "name=other_model", "training.class_weight=balanced"],
    ],
    ids=str,
)
def test_the_text_equals_the_file_that_dvc_writes(tmp_path: Path, overrides: list[str]) -> None:
    from dvc.fs import LocalFileSystem

    written = tmp_path / "params.yaml"
    compose_and_dump(written, str(CONF), None, "config", ".", overrides)
    assert LocalFileSystem().exists(str(written))
    assert composed(*overrides).text == written.read_text(encoding="utf-8")


def _origin(key: str, *overrides: str) -> Origin:
    return next(entry for entry in composed(*overrides).origin() if entry.key == key)


@pytest.mark.parametrize(
    ("key", "value", "file"),
    [
        ("seed", 42, "conf/base.yaml"),
        ("drift.alpha", 0.02, "conf/drift/default.yaml"),
        ("model.estimator.learning_rate", 0.05, "conf/model/hist_gradient_boosting.yaml"),
        ("data.profile.components.social_extrovert.share", 0.72549, "conf/data/profile/s5e7.yaml"),
        ("data.name", "personality", "conf/data/personality.yaml"),
    ],
)
def test_a_value_names_the_file_that_sets_it(key: str, value: object, file: str) -> None:
    assert _origin(key) == Origin(key, value, file, None)


def test_an_override_is_named_beside_the_file() -> None:
    expected = Origin("drift.alpha", 0.1, "conf/drift/default.yaml", "drift.alpha=0.1")
    assert _origin("drift.alpha", "drift.alpha=0.1") == expected


def test_a_chosen_group_names_the_file_of_the_choice() -> None:
    assert _origin("model.name", "model=random_forest").file == "conf/model/random_forest.yaml"


def test_every_value_has_an_origin() -> None:
    composition = composed()
    assert [entry.key for entry in composition.origin()] == [key for key, _ in flatten_settings(composition.values)]
    assert all(entry.file is not None and (REPOSITORY / entry.file).is_file() for entry in composition.origin())


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model=rndom_forest", "did you mean 'model/random_forest'"),
        ("training.fold=3", "did you mean 'training.folds'"),
        ("seed=[1", "seed=\\[1"),
        ("=3", "=3"),
        ("seed=${oc.env:HOME}", "seed: .* is not used here"),
        ("seed=${seed}", "seed: refers to itself"),
    ],
)
def test_an_invalid_override_is_named(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        compose([override], conf=CONF)


def test_an_invalid_file_is_named_before_hydra_reads_it(project: Path) -> None:
    (project / "conf/drift/default.yaml").write_text("alpha: on\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"drift/default\.yaml:1:8"):
        compose(conf=project / "conf")


def test_each_group_lists_its_options() -> None:
    options = group_options(CONF)
    assert {"hist_gradient_boosting", "random_forest"} <= set(options["model"])
    assert list(options) == sorted(options)


def test_the_settings_of_hydra_are_no_group_to_choose_from() -> None:
    assert "hydra" not in group_options(CONF)
    assert "hydra" not in composed().values


def test_a_composition_follows_each_change_of_a_file(project: Path) -> None:
    conf = project / "conf"
    path = conf / "training/default.yaml"
    shipped = path.read_text(encoding="utf-8")
    before = compose(conf=conf).values["training"]["folds"]
    path.write_text(shipped.replace(f"folds: {before}", f"folds: {before + 2}"), encoding="utf-8")
    assert compose(conf=conf).values["training"]["folds"] == before + 2
    path.write_text(shipped, encoding="utf-8")
    assert compose(conf=conf).values["training"]["folds"] == before


def test_a_caller_that_changes_values_changes_no_later_composition(project: Path) -> None:
    first = compose(["seed=4"], conf=project / "conf")
    first.values["training"]["folds"] = 0
    first.choices["model"] = "changed"
    second = compose(["seed=4"], conf=CONF)
    assert second.values["training"]["folds"] != 0
    assert second.choices["model"] != "changed"
    assert (first.conf, second.conf) == (project / "conf", CONF)
