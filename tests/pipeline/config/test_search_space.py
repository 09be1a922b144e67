"""Configurations of a search space lie in it, cover it evenly, and are the same each time."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from pipeline.config.search_space import SearchParameter, SearchSpace, read_search_space
from pipeline.errors import ConfigError
from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def test_a_shipped_search_space_is_read_with_its_kinds() -> None:
    space = read_search_space("hist_gradient_boosting", conf=ROOT / "conf")
    parameters = {parameter.key.rpartition(".")[2]: parameter for parameter in space.parameters}
    assert (space.n_trials, space.seed) == (20, 7)
    assert parameters["max_leaf_nodes"].values == (7, 15, 31)
    assert parameters["max_iter"].values[:2] == (50, 75)
    rate = parameters["learning_rate"]
    assert (rate.low, rate.high, rate.is_log, rate.is_integer) == (0.02, 0.3, True, False)


def test_draws_cover_each_parameter_evenly_and_repeat() -> None:
    space = SearchSpace(
        "some",
        10,
        3,
        (
            SearchParameter("rate", low=0.01, high=1.0, is_log=True),
            SearchParameter("depth", low=1, high=11, is_integer=True),
            SearchParameter("kind", values=("a", "b")),
        ),
    )
    drawn = space.draw()
    assert drawn == space.draw()
    assert sum(values["kind"] == "a" for values in drawn) == 5
    assert sum(values["rate"] < 0.1 for values in drawn) == 5
    assert all(0.01 <= values["rate"] <= 1.0 and isinstance(values["depth"], int) for values in drawn)
    assert len({values["depth"] for values in drawn}) >= 9


def test_equal_configurations_are_drawn_once() -> None:
    assert len(SearchSpace("some", 9, 0, (SearchParameter("kind", values=("a", "b")),)).draw()) == 2


def test_an_unknown_search_is_refused_with_the_known_ones() -> None:
    with pytest.raises(
        ConfigError, match=r"lifecycle\.select\.search: no file .*/hparams_search/forest\.yaml; expected one of"
    ):
        read_search_space("forest", conf=ROOT / "conf")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ("{}", "hydra.sweeper.params is empty"),
        ("{seed: 3}", "expected choice"),
        ("{seed: 'choice('}", "hydra.sweeper.params.seed"),
    ],
)
def test_a_search_without_parameters_or_of_another_form_is_refused(tmp_path: Path, params: str, message: str) -> None:
    conf = shutil.copytree(ROOT / "conf", tmp_path / "conf")
    (conf / "hparams_search" / "odd.yaml").write_text(
        "# @package _global_\n# Which?\ndefaults:\n  - override /hydra/sweeper: optuna\n"
        f"hydra:\n  sweeper:\n    n_trials: 2\n    params: {params}\n"
    )
    with pytest.raises(ConfigError, match=message):
        read_search_space("odd", conf=conf)
