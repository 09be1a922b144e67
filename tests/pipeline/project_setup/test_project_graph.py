"""The graph of a project: the engine's stages with digests, and its merge with edits of a team."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from pipeline.errors import ConfigError
from pipeline.project.stage_digests import engine_stages, is_engine_source
from pipeline.project_setup.project_graph import graph_values, merge_graph, render_graph


def test_a_project_has_the_stages_of_the_engine_with_digests_in_place_of_sources() -> None:
    stages = yaml.safe_load(render_graph())["stages"]
    for name, block in engine_stages().items():
        results = [dep for dep in block["deps"] if not is_engine_source(dep)]
        own = ["conf"] if name == "compose" else []
        assert stages[name] == {**block, "deps": [*own, *results, f"engine/{name}.digest"]}
    assert list(stages) == list(engine_stages())


def test_the_rendered_text_has_the_recorded_values() -> None:
    assert yaml.safe_load(render_graph()) == graph_values()


def changed_base() -> dict[str, Any]:
    """Return the record of an engine whose train stage had other values."""
    base = graph_values()
    base["stages"]["train"]["deps"].remove("data/source.json")
    base["stages"]["train"]["params"].append("old_setting")
    base["stages"]["extinct"] = {"cmd": "python -m stages.extinct"}
    return base


def test_own_stages_dependencies_plots_and_comments_stay() -> None:
    base = changed_base()
    text = yaml.safe_dump(base, sort_keys=False).replace(
        "  train:\n", "  mine:\n    cmd: echo mine  # my own stage\n  train:\n"
    )
    own = yaml.safe_load(text)
    own["stages"]["ingest"]["deps"].append("s3://bucket/rows.csv")
    merged = merge_graph(yaml.safe_dump(own, sort_keys=False), base)
    assert "# my own stage" in merge_graph(text, base)
    expected = graph_values()
    expected["stages"]["mine"] = {"cmd": "echo mine"}
    expected["stages"]["ingest"]["deps"].append("s3://bucket/rows.csv")
    assert sets_of(yaml.safe_load(merged)) == sets_of(expected)


def test_a_graph_that_does_not_change_is_the_same_text() -> None:
    text = render_graph() + "# the end\n"
    assert merge_graph(text, graph_values()) == text


def test_the_text_of_an_untouched_graph_becomes_that_of_a_new_project() -> None:
    own = render_graph().replace("      - data/source.json\n      - engine/train", "      - engine/train")
    assert own != render_graph()
    base = yaml.safe_load(own)
    assert sets_of(yaml.safe_load(merge_graph(own, base))) == sets_of(graph_values())


def test_a_conflict_names_the_place_both_values_and_the_command() -> None:
    base = graph_values()
    base["stages"]["train"]["cmd"] = "python -m old.train"
    own = yaml.safe_dump({"stages": {**base["stages"], "train": {**base["stages"]["train"], "cmd": "nice train"}}})
    with pytest.raises(
        ConfigError, match=r"stages\.train\.cmd: you have \"nice train\".*\n.*run `mlops upgrade` after"
    ):
        merge_graph(own, base)


@pytest.mark.parametrize("text", ["", "- a", "stages: [", "stages: 3", "plots: []"])
def test_a_file_that_is_no_graph_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"dvc\.yaml: (has no stages|cannot be read)"):
        merge_graph(text, graph_values())


def sets_of(tree: Any) -> Any:
    """Return a tree in which the order of lists does not count."""
    if isinstance(tree, dict):
        return {key: sets_of(value) for key, value in tree.items()}
    return sorted(map(str, tree)) if isinstance(tree, list) else tree
