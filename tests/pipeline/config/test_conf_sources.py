"""Settings come from conf/, from the folders of its search path, and from the engine."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from pipeline.config.composition import compose, group_options
from pipeline.config.conf_sources import check_graph_dependencies, find_conf_sources
from pipeline.config.config_loader import load_scenario
from pipeline.errors import ConfigError, TargetRefused
from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from pathlib import Path

_CONFIG = """\
defaults:
  - base
  - data: mine
  - model: svm
  - _self_
  - optional experiment: null
  - optional hparams_search: null
  - override training: quick
hydra:
  searchpath: [team/conf, pkg://pipeline.conf]
seed: 7
"""


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """Return conf/ of a project that has one problem and a folder of its team."""
    conf, team = tmp_path / "conf", tmp_path / "team/conf"
    (conf / "data").mkdir(parents=True)
    (team / "training").mkdir(parents=True)
    (conf / "config.yaml").write_text(_CONFIG, encoding="utf-8")
    shutil.copy(ROOT / "conf/data/iris.yaml", conf / "data/mine.yaml")
    shutil.copy(ROOT / "conf/training/default.yaml", team / "training/quick.yaml")
    return conf


def test_a_project_composes_with_the_settings_of_its_team_and_of_the_engine(conf: Path) -> None:
    composition = compose(conf=conf)
    engine = compose(["data=iris", "model=svm", "seed=7"], conf=ROOT / "conf")
    assert composition.values == engine.values
    assert composition.text == engine.text


def test_an_origin_names_the_folder_of_the_file(conf: Path) -> None:
    files = {entry.key: entry.file for entry in compose(conf=conf).origin()}
    assert [files[key] for key in ("seed", "data.name", "training.folds", "model.name", "name")] == [
        "conf/config.yaml",
        "conf/data/mine.yaml",
        "team/conf/training/quick.yaml",
        "engine: conf/model/svm.yaml",
        "engine: conf/base.yaml",
    ]


def test_every_name_of_an_origin_leads_to_its_file(conf: Path) -> None:
    sources = find_conf_sources(conf)
    for entry in compose(conf=conf).origin():
        path = None if entry.file is None else sources.locate(entry.file)
        assert path is not None
        assert path.is_file()


def test_a_file_of_the_project_hides_that_of_the_engine(conf: Path) -> None:
    (conf / "scenario").mkdir()
    calm = (ROOT / "conf/scenario/calm.yaml").read_text(encoding="utf-8")
    (conf / "scenario/calm.yaml").write_text(calm.replace("seed: 7", "seed: 99"), encoding="utf-8")
    assert load_scenario("calm", conf=conf).seed == 99
    assert load_scenario("drift", conf=conf) == load_scenario("drift", conf=ROOT / "conf")


def test_options_are_those_of_all_folders(conf: Path) -> None:
    options = group_options(conf)
    assert {"mine", "iris"} <= set(options["data"])
    assert options["training"] == ("default", "quick")


def test_a_checkout_reads_its_folder_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert [folder.label for folder in find_conf_sources().folders] == ["conf"]


def test_a_folder_of_the_command_line_comes_before_the_declared_ones(conf: Path) -> None:
    model = conf.parent / "mine/model"
    model.mkdir(parents=True)
    text = (ROOT / "conf/model/svm.yaml").read_text(encoding="utf-8")
    (model / "own.yaml").write_text(text, encoding="utf-8")
    origin = compose(["hydra.searchpath=[mine]", "model=own"], conf=conf).origin()
    assert {entry.file for entry in origin if entry.key == "model.name"} == {"mine/model/own.yaml"}


@pytest.mark.parametrize(
    "entry",
    ["/etc", "file:///etc", "pkg://json", "pkg://pipeline.config", "../other", "team/../../x", "~", "s3://x", ""],
)
def test_a_folder_outside_of_the_project_is_refused(conf: Path, entry: str) -> None:
    text = _CONFIG.replace("team/conf", f"'{entry}'")
    (conf / "config.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(TargetRefused, match=r"conf/config\.yaml: hydra\.searchpath: .* is not accepted"):
        compose(conf=conf)


@pytest.mark.parametrize("entry", ["/etc", "pkg://json", "../other", "file:///tmp"])
def test_a_folder_of_the_command_line_outside_of_the_project_is_refused(conf: Path, entry: str) -> None:
    with pytest.raises(TargetRefused, match=r"hydra\.searchpath: .* is not accepted"):
        compose([f"hydra.searchpath=[{entry}]"], conf=conf)


def test_a_link_out_of_the_project_is_refused(conf: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (conf.parent / "linked").symlink_to(outside)
    with pytest.raises(TargetRefused, match="linked: is a link out of the project"):
        compose(["hydra.searchpath=[linked]"], conf=conf)


@pytest.mark.parametrize("value", ["team", "{a: 1}", "3"])
def test_a_search_path_that_is_no_list_is_refused(conf: Path, value: str) -> None:
    text = _CONFIG.replace("[team/conf, pkg://pipeline.conf]", value)
    (conf / "config.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="expected a list of folders"):
        compose(conf=conf)


@pytest.mark.parametrize(("name", "target"), [("training/linked.yaml", "quick.yaml"), ("model", "training")])
def test_a_link_in_a_folder_of_a_team_is_named_by_its_whole_path(conf: Path, name: str, target: str) -> None:
    (conf.parent / "team/conf" / name).symlink_to(target)
    with pytest.raises(ConfigError, match=rf"^team/conf/{name}: is a link"):
        compose(conf=conf)


def test_the_files_of_a_team_are_checked_like_those_of_the_project(conf: Path) -> None:
    quick = conf.parent / "team/conf/training/quick.yaml"
    quick.write_text(quick.read_text(encoding="utf-8") + "shuffle: yes\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"team/conf/training/quick\.yaml:\d+:\d+: .*yes"):
        compose(conf=conf)


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        (
            "hydra/default.yaml",
            "job: {env_set: {PATH: /tmp}}\n",
            "team/conf/hydra/default.yaml: hydra.job.env_set.PATH",
        ),
        ("model/own.yaml", "hydra: {searchpath: [team/conf]}\n", "team/conf/model/own.yaml: hydra.searchpath"),
        ("training/run.py", "print()\n", "conf/training/run.py: is no YAML file of settings"),
    ],
)
def test_a_team_cannot_set_what_a_project_cannot(conf: Path, file: str, text: str, message: str) -> None:
    path = conf.parent / "team/conf" / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        compose(conf=conf)


@pytest.mark.parametrize("words", [[], ["training=default"]])
def test_an_experiment_cannot_choose_what_the_project_overrides(conf: Path, words: list[str]) -> None:
    (conf / "experiment").mkdir()
    (conf / "experiment/slow.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /training: default\n", encoding="utf-8"
    )
    if words:  # the command line wins over both
        assert compose(["experiment=slow", *words], conf=conf).choices["training"] == "default"
        return
    message = r"experiment/slow\.yaml: its choice training=default has no effect, because conf/config\.yaml overrides"
    with pytest.raises(ConfigError, match=message):
        compose(["experiment=slow", *words], conf=conf)


@pytest.mark.parametrize(
    ("dependencies", "is_seen"), [(["conf", "team"], True), (["conf", "team/conf"], True), (["conf"], False)]
)
def test_compose_depends_on_the_folders_of_the_project(conf: Path, dependencies: list[str], *, is_seen: bool) -> None:
    graph = {"stages": {"compose": {"cmd": "python -m stages.compose", "deps": dependencies}}}
    (conf.parent / "dvc.yaml").write_text(json.dumps(graph), encoding="utf-8")
    if is_seen:
        check_graph_dependencies(conf.parent)
        return
    with pytest.raises(ConfigError, match="the stage compose does not depend on team/conf"):
        check_graph_dependencies(conf.parent)


def test_without_the_engine_the_error_names_what_is_missing(conf: Path) -> None:
    (conf / "config.yaml").write_text(_CONFIG.replace(", pkg://pipeline.conf", ""), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"the engine has it: add pkg://pipeline\.conf to hydra\.searchpath"):
        compose(conf=conf)


@pytest.mark.parametrize("graph", ["", "stages:\n", "stages: {compose: }\n", "stages: {compose: {deps: }}\n"])
def test_a_graph_without_compose_watches_no_folder(conf: Path, graph: str) -> None:
    (conf.parent / "dvc.yaml").write_text(graph, encoding="utf-8")
    with pytest.raises(ConfigError, match="the stage compose does not depend on conf"):
        check_graph_dependencies(conf.parent)
