"""params.yaml is composed from conf/, or by DVC for an experiment."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pipeline.config.composition import compose
from pipeline.config.config_loader import build_config, load_params
from pipeline.config.params_file import (
    changed_value_lines,
    check_params_fresh,
    summarize_changes,
    write_params,
)
from pipeline.errors import ConfigError
from pipeline.settings_check import check_settings

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _outside_of_experiments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DVC_EXP_NAME", raising=False)


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def _origin(project: Path, key: str) -> dict[str, object]:
    entries = json.loads((project / "reports/config_origin.json").read_text(encoding="utf-8"))
    return next(entry for entry in entries if entry["key"] == key)


def test_the_committed_params_equal_the_composed_conf() -> None:
    check_params_fresh(REPOSITORY)


def test_the_committed_params_hold_nothing_machine_specific() -> None:
    text = (REPOSITORY / "params.yaml").read_text(encoding="utf-8")
    assert re.findall(r"(?m)(: /\w|\$\{|https?://|password|hydra)", text) == []


def test_a_change_of_conf_reaches_params_and_is_listed(project: Path) -> None:
    _edit(project / "conf/drift/default.yaml", "alpha: 0.02", "alpha: 0.01")
    assert write_params(project, check=check_settings) == ["drift.alpha: 0.02 -> 0.01"]
    assert write_params(project, check=check_settings) == []
    assert _origin(project, "drift.alpha")["file"] == "conf/drift/default.yaml"


def test_stale_params_are_refused_with_the_keys(project: Path) -> None:
    _edit(project / "conf/drift/default.yaml", "alpha: 0.02", "alpha: 0.01")
    with pytest.raises(ConfigError, match=r"is stale against conf/: drift.alpha: 0.02 -> 0.01"):
        check_params_fresh(project)


def test_an_invalid_setting_leaves_params_unchanged(project: Path) -> None:
    before = (project / "params.yaml").read_bytes()
    _edit(project / "conf/drift/default.yaml", "alpha: 0.02", "alpha: 5")
    with pytest.raises(ConfigError, match=r"conf/drift/default.yaml: drift.alpha: found 5"):
        write_params(project, check=check_settings)
    assert (project / "params.yaml").read_bytes() == before
    assert not (project / "reports").exists()


def test_params_of_an_experiment_stay_unchanged_and_name_the_override(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_EXP_NAME", "odd-name")
    _edit(project / "params.yaml", "\n  alpha: 0.02", "\n  alpha: 0.2")
    before = (project / "params.yaml").read_bytes()
    assert write_params(project, check=check_settings) == ["drift.alpha: 0.02 -> 0.2 (override of this experiment)"]
    assert (project / "params.yaml").read_bytes() == before
    assert _origin(project, "drift.alpha")["override"] == "dvc exp run -S drift.alpha=0.2"


def test_params_of_an_experiment_are_validated(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_EXP_NAME", "odd-name")
    _edit(project / "params.yaml", "\n  alpha: 0.02", "\n  alpha: 7.5")
    with pytest.raises(ConfigError, match=r"dvc exp run -S drift.alpha=7.5: drift.alpha: found 7.5"):
        write_params(project, check=check_settings)


def test_unreadable_params_are_replaced(project: Path) -> None:
    (project / "params.yaml").write_text("a: [", encoding="utf-8")
    assert write_params(project, check=check_settings) == ["params.yaml was created from conf/"]
    check_params_fresh(project)


def test_added_and_removed_keys_are_listed() -> None:
    assert changed_value_lines({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "d": 3}}) == [
        "a.c: 2 -> (absent)",
        "a.d: (absent) -> 3",
    ]


def test_the_composed_file_and_conf_give_equal_settings(project: Path) -> None:
    assert load_params(project / "params.yaml") == build_config(compose(conf=project / "conf").values, where="conf")


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "personality_original"])
def test_ten_lines_describe_another_problem_and_begin_with_its_name(name: str) -> None:
    conf = REPOSITORY / "conf"
    old, new = compose(conf=conf).values, compose([f"data={name}"], conf=conf).values
    lines = summarize_changes(old, new)
    assert len(lines) <= 10
    if new["data"]["name"] != old["data"]["name"]:
        source, target = new["data"]["source"], new["data"]["target"]["column"]
        place = source.get("path") or source.get("name") or source["kind"]
        assert lines[0] == f"problem '{name}' in place of 'personality': source {place}, target {target}"
        assert len(changed_value_lines(old, new)) > 50


def test_sections_that_go_come_and_differ_are_counted_and_single_settings_listed() -> None:
    old = {"a": {"x": {str(i): i for i in range(9)}}, "b": {"x": {str(i): 0 for i in range(3)}}, "seed": 1}
    new = {"a": {"y": {str(i): i for i in range(9)}}, "b": {"x": {str(i): 1 for i in range(3)}}, "seed": 2}
    assert summarize_changes(old, new, note=" (note)") == [
        "a.x: 9 settings go",
        "a.y: 9 settings are new",
        "b.x: 3 settings differ",
        "seed: 1 -> 2 (note)",
    ]


def test_the_rest_of_many_sections_is_counted() -> None:
    old, new = {f"k{i:02}": 0 for i in range(30)}, {f"k{i:02}": 1 for i in range(30)}
    lines = summarize_changes(old, new)
    assert (len(lines), lines[-1]) == (10, "... and 21 more changes; `dvc params diff` lists every setting")
